package world

import (
	"fmt"
	"slices"
	"strconv"
)

// Statements that kinds are made of. Each draws its rows, and is empty when
// there are none.

// insert is a new row with a given key; the link to its parent is given too,
// or drawn when it is "".
func (g *Generator) insert(table, key, parent string) string {
	if key == "" {
		return ""
	}
	if above, ok := parents[table]; ok && parent == "" {
		parent = g.link(above.table)
	}
	switch table {
	case "users":
		return fmt.Sprintf("INSERT INTO users VALUES (%s, %s, %s)", key, g.text(), g.handle())
	case "labels":
		return fmt.Sprintf("INSERT INTO labels VALUES (%s, %s)", key, g.text())
	case "boards":
		return fmt.Sprintf("INSERT INTO boards VALUES (%s, %s, %s)", key, g.text(), g.link("users"))
	case "lists":
		return fmt.Sprintf("INSERT INTO lists VALUES (%s, %s, %s, %s)", key, parent, g.text(), g.place())
	case "cards":
		return fmt.Sprintf("INSERT INTO cards VALUES (%s, %s, %s, %s, %d, %s, %s, %s)", key, parent, g.text(), g.place(),
			g.rng.IntN(2), g.place(), g.link("users"), g.link("labels"))
	case "covers":
		return fmt.Sprintf("INSERT INTO covers VALUES (%s, %s, %s, %d)", key, parent, g.text(), g.rng.IntN(4))
	default:
		return fmt.Sprintf("INSERT INTO comments VALUES (%s, %s, %s, %s)", key, parent, g.link("users"), g.text())
	}
}

// handle draws from few, so that they collide.
func (g *Generator) handle() string {
	if g.rng.IntN(3) == 0 {
		return "NULL"
	}
	return literal(g.draw([]string{"a", "g", "e", "x", "y", "z"}))
}

// parents are the has-many and has-one links.
var parents = map[string]struct{ table, column string }{
	"lists":    {"boards", "board_id"},
	"cards":    {"lists", "list_id"},
	"covers":   {"cards", "card_id"},
	"comments": {"cards", "card_id"},
}

// nested are the tables with parents, cards more often than the others.
var nested = []string{"lists", "cards", "cards", "covers", "comments"}

var anyTable = []string{"users", "labels", "boards", "lists", "cards", "cards", "cards", "covers", "comments", "comments"}

// update changes a column that is no link.
func (g *Generator) update(table, key string) string {
	if key == "" {
		return ""
	}
	var set string
	switch table {
	case "users", "boards":
		set = "name = " + g.text()
	case "labels":
		set = "color = " + g.text()
	case "lists":
		set = g.draw([]string{"name = " + g.text(), "position = " + g.place()})
	case "cards":
		set = g.draw([]string{"title = " + g.text(), "position = " + g.place(), "done = 1 - done", "estimate = " + g.place()})
	case "covers":
		set = g.draw([]string{"url = " + g.text(), "weight = " + strconv.Itoa(g.rng.IntN(4))})
	default:
		set = "body = " + g.text()
	}
	return where("UPDATE "+table+" SET "+set, table, key)
}

func where(statement, table, key string) string {
	return statement + " WHERE " + keyColumn(table) + " = " + key
}

// move gives a row another parent.
func move(table, key, parent string) string {
	if key == "" || parent == "" {
		return ""
	}
	return where("UPDATE "+table+" SET "+parents[table].column+" = "+parent, table, key)
}

func remove(table, key string) string {
	if key == "" {
		return ""
	}
	return where("DELETE FROM "+table, table, key)
}

// assign changes a belongs-to link.
func (g *Generator) assign(target func(table string) string) string {
	l := belongsTo[g.rng.IntN(len(belongsTo))]
	key, to := g.some(l.table), target(l.target)
	if key == "" || to == "" {
		return ""
	}
	return where("UPDATE "+l.table+" SET "+l.column+" = "+to, l.table, key)
}

var belongsTo = []struct{ table, column, target string }{
	{"boards", "owner_id", "users"},
	{"cards", "assignee_id", "users"},
	{"cards", "label_code", "labels"},
	{"comments", "author_id", "users"},
}

// any draws some statement.
func (g *Generator) any() string {
	table := g.draw(anyTable)
	switch n := g.rng.IntN(10); {
	case n < 3:
		return g.insert(table, g.fresh(table), "")
	case n < 6:
		return g.update(table, g.some(table))
	case n == 6:
		return remove(table, g.some(table))
	case n == 7:
		return g.assign(g.link)
	default:
		table = g.draw(nested)
		return move(table, g.some(table), g.link(parents[table].table))
	}
}

// several draws between least and most statements.
func (g *Generator) several(least, most int) []string {
	var all []string
	for n := least + g.rng.IntN(most-least+1); len(all) < n; {
		if s := g.any(); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// together is the statements, or nothing when one of them is empty.
func together(statements ...string) []string {
	if slices.Contains(statements, "") {
		return nil
	}
	return statements
}
