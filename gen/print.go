package gen

import (
	"bytes"
	"fmt"
	"strings"
)

// width is the column that lines keep to where they can be broken.
const width = 100

// writer collects one file.
type writer struct{ bytes.Buffer }

func (w *writer) linef(format string, args ...any) {
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

// doc writes a Go doc comment as JSDoc with tags below it, nothing if there is
// neither.
func (w *writer) doc(indent, text string, tags ...string) {
	text = strings.TrimSpace(jsdoc(text) + "\n\n" + strings.Join(tags, "\n"))
	if text == "" {
		return
	}
	if oneLine := indent + "/** " + text + " */"; len(oneLine) <= width && !strings.Contains(text, "\n") {
		w.linef("%s", oneLine)
		return
	}
	w.linef("%s/**", indent)
	for line := range strings.SplitSeq(text, "\n") {
		w.linef("%s", strings.TrimRight(indent+" * "+line, " \t"))
	}
	w.linef("%s */", indent)
}

// jsdoc is the text of a Go comment as JSDoc, which is Markdown, understands it.
// The paragraph that deprecates in Go does so here; no other line begins a tag,
// as some of them tell the compiler things.
func jsdoc(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), "*/", "*\\/")
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		indented := strings.TrimLeft(line, "\t")
		line = strings.Repeat("    ", len(line)-len(indented)) + indented
		if why, found := strings.CutPrefix(line, "Deprecated: "); found && (i == 0 || lines[i-1] == "") {
			line = "@deprecated " + why
		} else if trimmed := strings.TrimLeft(line, " "); strings.HasPrefix(trimmed, "@") {
			line = line[:len(line)-len(trimmed)] + `\` + trimmed
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// interfaceOf writes an interface whose members are lines with their docs.
func (w *writer) interfaceOf(name, doc string, members []documented) {
	w.doc("", doc)
	if len(members) == 0 {
		w.linef("export type %s = Record<string, never>", name)
		return
	}
	w.linef("export interface %s {", name)
	for _, m := range members {
		w.doc("  ", m.doc, m.tags...)
		w.linef("  %s", m.text)
	}
	w.linef("}")
}

// documented is a member of an interface with its comment and the tags of JSDoc
// below that.
type documented struct {
	doc, text string
	tags      []string
}

// literal is a value as TypeScript writes it: text as it is, an object or an
// array.
type literal struct {
	text    string
	open    string // "{" or "[", empty for text
	entries []entry
}

type entry struct {
	key string // empty in arrays, and for a variable of the property's name
	literal
}

func text(s string) literal { return literal{text: s} }

func object(entries ...entry) literal { return literal{open: "{", entries: entries} }

func array(elements ...literal) literal {
	l := literal{open: "["}
	for _, e := range elements {
		l.entries = append(l.entries, entry{literal: e})
	}
	return l
}

func quoted(names []string) literal {
	elements := make([]literal, len(names))
	for i, name := range names {
		elements[i] = text(quote(name))
	}
	return array(elements...)
}

// flat writes the literal in one line.
func (l literal) flat() string {
	if l.open == "" {
		return l.text
	}
	parts := make([]string, len(l.entries))
	for i, e := range l.entries {
		parts[i] = e.prefix() + e.flat()
	}
	inner := strings.Join(parts, ", ")
	switch {
	case l.open == "[":
		return "[" + inner + "]"
	case inner == "":
		return "{}"
	default:
		return "{ " + inner + " }"
	}
}

func (e entry) prefix() string {
	if e.key == "" {
		return ""
	}
	return property(e.key) + ": "
}

// literal writes a literal that starts at a column, broken where it does not
// fit into one line. After it comes one byte more, a comma.
func (w *writer) literal(l literal, indent string, column int) {
	if flat := l.flat(); l.open == "" || column+len(flat)+1 <= width {
		w.WriteString(flat)
		return
	}
	w.WriteString(l.open + "\n")
	inner := indent + "  "
	for _, e := range l.entries {
		start := inner + e.prefix()
		w.WriteString(start)
		w.literal(e.literal, inner, len(start))
		w.WriteString(",\n")
	}
	w.WriteString(indent + map[string]string{"{": "}", "[": "]"}[l.open])
}
