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
	// opConflict names a row that stood in the way of another. It is gone if
	// the statement was a REPLACE, which fires no DELETE trigger on it unless
	// the writer has recursive_triggers set.
	opConflict = 4
)

// trigger is one trigger as it must stand in the database; one without sql
// must not.
type trigger struct{ name, sql string }

// triggers are those that log the changes of d's table under shape. Their
// text is compared with that in the database, so it depends on nothing else.
func (d *description) triggers(shape int64) []trigger {
	return []trigger{
		d.rowTrigger("INSERT", shape, opInsert, false, true),
		d.rowTrigger("UPDATE", shape, opUpdate, true, true),
		d.rowTrigger("DELETE", shape, opDelete, true, false),
		d.conflictTrigger("INSERT", shape),
		d.conflictTrigger("UPDATE", shape),
	}
}

func (d *description) triggerName(suffix string) string {
	return "pando_" + d.name + "_" + strings.ToLower(suffix)
}

// rowTrigger logs the row before and after an event.
func (d *description) rowTrigger(event string, shape int64, op int, old, new bool) trigger {
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
	name := d.triggerName(event)
	return trigger{name, "CREATE TRIGGER " + quote(name) + " AFTER " + event + " ON " + quote(d.name) +
		" BEGIN INSERT INTO pando_log (shape, op" + slots.String() + ") VALUES (" +
		strconv.FormatInt(shape, 10) + ", " + strconv.Itoa(op) + values.String() + "); END"}
}

// conflictTrigger logs, before an event, the rows that equal the new one in a
// unique index. An updated row is left out.
func (d *description) conflictTrigger(event string, shape int64) trigger {
	t := trigger{name: d.triggerName("conflict_" + event)}
	if len(d.unique) == 0 {
		return t
	}
	var slots, values, body strings.Builder
	for i, column := range d.columns {
		slots.WriteString(", old_" + strconv.Itoa(i))
		values.WriteString(", " + quote(column))
	}
	for _, columns := range d.unique {
		body.WriteString(" INSERT INTO pando_log (shape, op" + slots.String() + ") SELECT " +
			strconv.FormatInt(shape, 10) + ", " + strconv.Itoa(opConflict) + values.String() +
			" FROM " + quote(d.name) + " WHERE ")
		for i, column := range columns {
			if i > 0 {
				body.WriteString(" AND ")
			}
			name := quote(column.name)
			body.WriteString(name + " = NEW." + name + " COLLATE " + quote(column.collation))
		}
		if event == "UPDATE" {
			body.WriteString(d.notItself())
		}
		body.WriteString(";")
	}
	t.sql = "CREATE TRIGGER " + quote(t.name) + " BEFORE " + event + d.conflictColumns(event) +
		" ON " + quote(d.name) + " BEGIN" + body.String() + " END"
	return t
}

// notItself excludes the updated row by its primary key.
func (d *description) notItself() string {
	if len(d.primary) == 0 {
		return ""
	}
	var same []string
	for _, column := range d.primary {
		same = append(same, quote(column)+" IS OLD."+quote(column))
	}
	return " AND NOT (" + strings.Join(same, " AND ") + ")"
}

// conflictColumns limits an UPDATE trigger to the columns of unique indexes.
func (d *description) conflictColumns(event string) string {
	if event != "UPDATE" {
		return ""
	}
	var names []string
	for _, columns := range d.unique {
		for _, column := range columns {
			names = append(names, quote(column.name))
		}
	}
	return " OF " + strings.Join(names, ", ")
}
