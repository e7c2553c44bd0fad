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

// doc writes a Go doc comment as JSDoc, nothing for an empty one.
func (w *writer) doc(indent, text string) {
	text = strings.ReplaceAll(strings.TrimSpace(text), "*/", "*\\/")
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

// interfaceOf writes an interface whose members are lines with their docs.
func (w *writer) interfaceOf(name, doc string, members []documented) {
	w.doc("", doc)
	if len(members) == 0 {
		w.linef("export type %s = Record<string, never>", name)
		return
	}
	w.linef("export interface %s {", name)
	for _, m := range members {
		w.doc("  ", m.doc)
		w.linef("  %s", m.text)
	}
	w.linef("}")
}

// documented is a member of an interface with its comment.
type documented struct{ doc, text string }

// literal is a value as TypeScript writes it: text as it is, an object or an
// array.
type literal struct {
	text    string
	open    string // "{" or "[", empty for text
	entries []entry
}

type entry struct {
	key string // empty in arrays
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
