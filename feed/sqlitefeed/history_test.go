package sqlitefeed

import (
	"testing"

	"github.com/pando-sync/pando/schema"
)

// TestStepsArePutInOrder gives the row as it was wherever the steps lead from one
// to the next in some order, and nothing where they do not.
func TestStepsArePutInOrder(t *testing.T) {
	row := func(text string) schema.Row {
		if text == "" {
			return nil
		}
		return schema.Row{schema.IntValue(1), schema.TextValue(text)}
	}
	table := &schema.Table{Name: "t", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "text", Kind: schema.Text}}}
	for _, tt := range []struct {
		name  string
		steps [][2]string
		now   string
		first string
		known bool
	}{
		{"in order", [][2]string{{"a", "b"}, {"b", "c"}}, "c", "a", true},
		{"a trigger's first", [][2]string{{"b", "c"}, {"a", "b"}}, "c", "a", true},
		{"an insert after what its trigger did", [][2]string{{"b", "c"}, {"", "b"}}, "c", "", true},
		{"a loop", [][2]string{{"b", "c"}, {"a", "b"}, {"x", "b"}, {"c", "x"}}, "", "a", false},
		{"a loop that closes", [][2]string{{"b", "c"}, {"a", "b"}, {"c", "x"}, {"x", "b"}}, "b", "a", true},
		{"there and back", [][2]string{{"b", "a"}, {"a", "b"}}, "a", "a", true},
		{"a step that nobody logged", [][2]string{{"c", "d"}, {"a", "b"}}, "d", "", false},
		{"an end that nobody logged", [][2]string{{"b", "c"}, {"a", "b"}}, "x", "", false},
		{"made, changed and deleted", [][2]string{{"b", "c"}, {"", "b"}, {"c", ""}}, "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &history{rowKey: rowKey{table, schema.IntValue(1)}, now: row(tt.now)}
			for _, s := range tt.steps {
				h.steps = append(h.steps, step{before: row(s[0]), after: row(s[1])})
			}
			changes := h.appendChanges(nil, false)
			if len(changes) == 0 {
				t.Fatal("nothing is told")
			}
			first, last := changes[0], changes[len(changes)-1]
			if !sameRow(last.New, h.now) {
				t.Errorf("the last change leads to %v, want %v", last.New, h.now)
			}
			if known := first.Old != nil || first.New != nil; known != tt.known || tt.known && !sameRow(first.Old, row(tt.first)) {
				t.Errorf("the first change is from %v, known %v; want %q, %v", first.Old, known, tt.first, tt.known)
			}
		})
	}
}
