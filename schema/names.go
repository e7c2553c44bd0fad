package schema

import (
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/jinzhu/inflection"
)

// snake turns a Go name into snake_case; a run of capitals is one word, with
// its plural s: URLPath is url_path, ListID list_id, UserIDs user_ids.
func snake(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && runes[i-1] != '_' && startsWord(runes, i) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// startsWord tells whether the capital at i begins a word.
func startsWord(runes []rune, i int) bool {
	if !unicode.IsUpper(runes[i-1]) {
		return true
	}
	if i+1 == len(runes) || !unicode.IsLower(runes[i+1]) {
		return false
	}
	plural := runes[i+1] == 's' && (i+2 == len(runes) || unicode.IsUpper(runes[i+2]))
	return !plural
}

// tableOf is the table of a struct without a TableName of its own.
func tableOf(t reflect.Type) string {
	words := strings.Split(snake(t.Name()), "_")
	last := len(words) - 1
	words[last] = inflection.Plural(words[last])
	return strings.Join(words, "_")
}

// blankTable is the table that a struct's blank field names, "" if none does:
// _ struct{} `pando:"table:NAME"`. Structs that are made at run time need it,
// as they have neither a name nor methods.
func blankTable(t reflect.Type) string {
	if t.Kind() != reflect.Struct {
		return ""
	}
	for f := range t.Fields() {
		if table, found := strings.CutPrefix(f.Tag.Get("pando"), "table:"); found && f.Name == "_" {
			return table
		}
	}
	return ""
}

// camel turns snake_case into a Go name.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// singular is the table's name as the start of a link's name.
func singular(table string) string {
	table = table[strings.LastIndexByte(table, '.')+1:]
	words := strings.Split(table, "_")
	last := len(words) - 1
	words[last] = inflection.Singular(words[last])
	return strings.Join(words, "_")
}

var secretWords = []string{"password", "hash", "secret", "token"}

// secretWord returns the word by which a name looks like a secret's, or "".
func secretWord(names ...string) string {
	for _, name := range names {
		for word := range strings.SplitSeq(snake(name), "_") {
			if slices.Contains(secretWords, word) {
				return word
			}
		}
	}
	return ""
}
