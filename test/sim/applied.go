package main

import (
	"fmt"
	"slices"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
)

// applied says what is wrong with a write that was applied, "" for nothing.
func (j *judgment) applied() string {
	w := j.write
	switch {
	case !j.Committed:
		return "was answered without an error, and nothing was committed"
	case !j.offered():
		return "was applied, though it is not offered"
	case !j.stood:
		return "was applied, though the row was not in the writer's tree"
	case !j.permitted():
		return "was applied, though the writer may not"
	case !j.unchanged():
		return "was applied, though the row had other values than the client saw"
	case w.Invalid:
		return "was applied, though a value is none"
	case j.call.op == "save" && !w.Offer.MayLeave && !j.stands(), j.call.op == "create" && !j.stands():
		return "was applied, and the row is not in the writer's tree"
	}
	if to := j.strange(); to != "" {
		return "was applied, and a link leads to " + to + ", which was not in the writer's tree"
	}
	return j.changes()
}

// strange is the target of a link that leads to a row that was not in the tree,
// "" for none.
func (j *judgment) strange() string {
	t := j.write.Offer.Table
	for _, l := range j.linked() {
		for _, s := range j.follows(l.Link) {
			mayLink := s.Struct != "" && slices.Contains(j.write.Offer.CanLink, j.call.user)
			if !mayLink && !j.was[oracle.Member{Struct: s, Key: l.To}] {
				return t.Column(l.Link[0]).References + " " + l.To
			}
		}
	}
	return ""
}

// changes says what is wrong with what was changed, "" for nothing.
func (j *judgment) changes() string {
	t, key := j.write.Offer.Table, j.write.ID
	if j.call.op == "create" {
		if key = j.call.created(j.execution); key == "" {
			return "was applied, and has not created one row"
		}
	}
	if other := j.others(t, key); other != "" {
		return "was applied, and has changed " + other
	}
	now := j.after.Row(t.Name, key)
	switch {
	case j.call.op == "delete" && now != nil:
		return "was applied, and the row is still there"
	case j.call.op == "delete":
		return ""
	case now == nil:
		return "was applied, and the row is not there"
	}
	for _, l := range j.write.Links {
		if to := oracle.LinkText(t, l.Link, now); to != l.To && !j.placed(l.Link) {
			return fmt.Sprintf("was applied, and its link %v leads to %q", l.Link, to)
		}
	}
	for i, c := range t.Columns {
		if wrong := j.value(t, c, now[i]); wrong != "" {
			return wrong
		}
	}
	return ""
}

// value says what is wrong with a column of the row that was written.
func (j *judgment) value(t *model.Table, c *model.Column, v any) string {
	want, set := j.write.Want[c.Name]
	switch {
	case c.Name == t.Touch || j.triggered(t.Name, c.Name), set && want == "":
		return "" // a trigger changes it, or it is a link
	case !set && j.row == nil:
		return "" // a default, or what the place asks for
	case !set:
		want = oracle.Text(t, c.Name, j.row[t.Index(c.Name)])
	}
	if got := oracle.Text(t, c.Name, v); got != want {
		return fmt.Sprintf("was applied, and column %s is %s", c.Name, got)
	}
	return ""
}

func (j *judgment) triggered(table, column string) bool {
	return slices.ContainsFunc(j.schema.Tables, func(t *model.Table) bool {
		return t.Trigger != nil && t.Trigger.Table == table && t.Trigger.Column == column
	})
}

// others is a row that was changed and is not the one that was written, "" for
// none. What the database changes by itself does not count.
func (j *judgment) others(written *model.Table, key string) string {
	for _, t := range j.schema.Tables {
		if j.schema.ForeignKeys && j.call.op == "delete" || written.Trigger != nil && written.Trigger.Table == t.Name {
			continue
		}
		for _, r := range j.before.Tables[t.Name] {
			k := oracle.KeyText(t, r)
			if other := t != written || k != key; other && !slices.EqualFunc(r, j.after.Row(t.Name, k), equalValues) {
				return t.Name + " " + k
			}
		}
		created := 0
		if t == written && j.call.op == "create" {
			created = 1
		}
		if gone := j.call.op == "delete" && t == written; !gone && len(j.after.Tables[t.Name]) != len(j.before.Tables[t.Name])+created {
			return "how many rows are in " + t.Name
		}
	}
	return ""
}

func equalValues(a, b any) bool { return fmt.Sprintf("%T %v", a, a) == fmt.Sprintf("%T %v", b, b) }
