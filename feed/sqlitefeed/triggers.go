package sqlitefeed

import (
	"strconv"
	"strings"
)

// Operations in the log.
const (
	opInsert = 1
	opUpdate = 2
	opDelete = 3
)

// trigger is one trigger as it must stand in the database.
type trigger struct{ name, sql string }

// triggers are those that log the changes of d's table under shape. Their
// text is compared with that in the database, so it depends on nothing else.
func (d *description) triggers(shape int64) [3]trigger {
	make := func(event string, op int, old, new bool) trigger {
		name := "pando_" + d.name + "_" + strings.ToLower(event)
		return trigger{name, d.triggerSQL(name, event, op, shape, old, new)}
	}
	return [3]trigger{
		make("INSERT", opInsert, false, true),
		make("UPDATE", opUpdate, true, true),
		make("DELETE", opDelete, true, false),
	}
}

func (d *description) triggerSQL(name, event string, op int, shape int64, old, new bool) string {
	var slots, values strings.Builder
	add := func(slot string, i int, row, column string) {
		slots.WriteString(", " + slot + strconv.Itoa(i))
		values.WriteString(", " + row + "." + quote(column))
	}
	for i, column := range d.columns {
		if old {
			add("old_", i, "OLD", column)
		}
		if new {
			add("new_", i, "NEW", column)
		}
	}
	return "CREATE TRIGGER " + quote(name) + " AFTER " + event + " ON " + quote(d.name) +
		" BEGIN INSERT INTO pando_log (shape, op" + slots.String() + ") VALUES (" +
		strconv.FormatInt(shape, 10) + ", " + strconv.Itoa(op) + values.String() + "); END"
}
