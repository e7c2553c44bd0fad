package world

import (
	"fmt"
	"slices"
	"strings"
)

// kind is a way in which transactions change a tree. Each has hurt some sync
// engine before.
type kind struct {
	name   string
	weight int
	// dangling kinds make links to rows that do not exist.
	dangling bool
	rollback bool
	make     func(g *Generator) []string
}

// Kinds are the names of all kinds of transactions.
func Kinds() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

var kinds = []kind{
	{name: "insert", weight: 12, make: insertRow},
	{name: "insert subtree", weight: 4, make: (*Generator).subtree},
	{name: "update", weight: 12, make: updateRow},
	{name: "update without effect", weight: 3, make: updateNothing},
	{name: "delete", weight: 4, make: deleteLeaf},
	{name: "delete parent", weight: 4, make: deleteParent},
	{name: "move", weight: 12, make: moveRow},
	{name: "move between boards", weight: 6, make: (*Generator).moveBetween},
	{name: "move out", weight: 3, make: moveOut},
	{name: "move in", weight: 5, make: (*Generator).moveIn},
	{name: "there and back", weight: 4, make: (*Generator).thereAndBack},
	{name: "dangling parent", weight: 4, dangling: true, make: danglingParent},
	{name: "late parent", weight: 5, dangling: true, make: (*Generator).lateParent},
	{name: "assign", weight: 8, make: assignRow},
	{name: "unassign", weight: 2, make: unassign},
	{name: "dangling assignment", weight: 3, dangling: true, make: danglingAssignment},
	{name: "late target", weight: 4, dangling: true, make: (*Generator).lateTarget},
	{name: "swap positions", weight: 4, make: swapPositions},
	{name: "recreate", weight: 4, make: recreate},
	{name: "recreate later", weight: 5, make: recreateLater},
	{name: "bulk update", weight: 3, make: bulkUpdate},
	{name: "bulk move", weight: 3, make: bulkMove},
	{name: "bulk delete", weight: 1, make: bulkDelete},
	{name: "replace", weight: 4, make: replace},
	{name: "replace another", weight: 4, make: replaceAnother},
	{name: "upsert", weight: 3, make: upsert},
	{name: "change key", weight: 4, make: changeKey},
	{name: "savepoint", weight: 4, make: (*Generator).savepoint},
	{name: "mixed", weight: 8, make: func(g *Generator) []string { return g.several(2, 8) }},
	{name: "rollback", weight: 4, rollback: true, make: func(g *Generator) []string { return g.several(1, 6) }},
}

func insertRow(g *Generator) []string {
	table := g.draw(anyTable)
	return together(g.insert(table, g.fresh(table), ""))
}

// subtree is a list with cards with comments, in either order.
func (g *Generator) subtree() []string {
	list, card, comment := g.fresh("lists"), g.fresh("cards"), g.fresh("comments")
	all := together(
		g.insert("lists", list, orNull(g.some("boards"))),
		g.insert("cards", card, list),
		g.insert("comments", comment, card),
	)
	if !g.shape.ForeignKeys && g.rng.IntN(2) == 0 {
		slices.Reverse(all)
	}
	return all
}

func updateRow(g *Generator) []string {
	table := g.draw(anyTable)
	return together(g.update(table, g.some(table)))
}

func updateNothing(g *Generator) []string {
	if g.rng.IntN(2) == 0 {
		return []string{"UPDATE cards SET title = title, list_id = list_id"}
	}
	return []string{"UPDATE users SET name = name || ''"}
}

func deleteLeaf(g *Generator) []string {
	table := g.draw([]string{"cards", "covers", "comments"})
	return together(remove(table, g.some(table)))
}

func deleteParent(g *Generator) []string {
	table := g.draw([]string{"users", "labels", "boards", "lists", "lists"})
	return together(remove(table, g.some(table)))
}

func moveRow(g *Generator) []string {
	table := g.draw(nested)
	return together(move(table, g.some(table), g.some(parents[table].table)))
}

// boardOf is the board of a list, nil for none.
func (g *Generator) listsOf(same bool, list string) []string {
	var board any
	for _, r := range g.data.Tables["lists"] {
		if literal(r["id"]) == list {
			board = r["board_id"]
		}
	}
	var found []string
	for _, r := range g.data.Tables["lists"] {
		if (r["board_id"] == board) == same {
			found = append(found, literal(r["id"]))
		}
	}
	return found
}

// moveBetween moves a card with all that is below it to another board.
func (g *Generator) moveBetween() []string {
	for _, r := range g.data.Tables["cards"] {
		if r["list_id"] == nil || g.rng.IntN(3) > 0 {
			continue
		}
		return together(move("cards", literal(r["id"]), g.draw(g.listsOf(false, literal(r["list_id"])))))
	}
	return nil
}

func moveOut(g *Generator) []string {
	table := g.draw(nested)
	return together(move(table, g.some(table), "NULL"))
}

// moveIn brings a row from nowhere to a parent that exists.
func (g *Generator) moveIn() []string {
	table := g.draw(nested)
	above := parents[table]
	live := g.keys(above.table)
	var outside []string
	for _, r := range g.data.Tables[table] {
		if !slices.Contains(live, literal(r[above.column])) {
			outside = append(outside, literal(r[keyColumn(table)]))
		}
	}
	return together(move(table, g.draw(outside), g.draw(live)))
}

func (g *Generator) thereAndBack() []string {
	table := g.draw(nested)
	above := parents[table]
	rows := g.data.Tables[table]
	if len(rows) == 0 {
		return nil
	}
	r := rows[g.rng.IntN(len(rows))]
	key := literal(r[keyColumn(table)])
	away := move(table, key, g.draw([]string{"NULL", orNull(g.some(above.table))}))
	back := move(table, key, literal(r[above.column]))
	if g.rng.IntN(2) == 0 {
		return together(away, g.any(), back)
	}
	return together(away, back)
}

func danglingParent(g *Generator) []string {
	table := g.draw(nested)
	return together(move(table, g.some(table), g.fresh(parents[table].table)))
}

// missing are the rows of a table that links name and that do not exist.
func (g *Generator) missing(table, from, column string) []string {
	live := g.keys(table)
	var found []string
	for _, r := range g.data.Tables[from] {
		if key := literal(r[column]); r[column] != nil && !slices.Contains(live, key) {
			found = append(found, key)
		}
	}
	return found
}

// lateParent inserts a row that others are below already.
func (g *Generator) lateParent() []string {
	table := g.draw(nested)
	above := parents[table]
	return together(g.insert(above.table, g.draw(g.missing(above.table, table, above.column)), ""))
}

func assignRow(g *Generator) []string { return together(g.assign(g.some)) }

func unassign(g *Generator) []string {
	return together(g.assign(func(string) string { return "NULL" }))
}

func danglingAssignment(g *Generator) []string { return together(g.assign(g.fresh)) }

// lateTarget inserts a row that belongs-to links name already.
func (g *Generator) lateTarget() []string {
	l := belongsTo[g.rng.IntN(len(belongsTo))]
	return together(g.insert(l.target, g.draw(g.missing(l.target, l.table, l.column)), ""))
}

func swapPositions(g *Generator) []string {
	a, b := g.some("cards"), g.some("cards")
	if a == b {
		return nil
	}
	return []string{fmt.Sprintf("UPDATE cards SET position = (SELECT o.position FROM cards o "+
		"WHERE o.id IN (%[1]s, %[2]s) AND o.id <> cards.id) WHERE id IN (%[1]s, %[2]s)", a, b)}
}

// recreate deletes a row and inserts another with its key at once.
func recreate(g *Generator) []string {
	table := g.draw(anyTable)
	key := g.some(table)
	return together(remove(table, key), g.insert(table, key, ""))
}

// recreateLater inserts a row with a key that was deleted before.
func recreateLater(g *Generator) []string {
	table := g.draw(anyTable)
	live := g.keys(table)
	free := slices.DeleteFunc(slices.Clone(g.gone[table]), func(key string) bool { return slices.Contains(live, key) })
	return together(g.insert(table, g.draw(free), ""))
}

func bulkUpdate(g *Generator) []string {
	return []string{g.draw([]string{
		"UPDATE cards SET done = 1 - done, estimate = coalesce(estimate, 1) / 2",
		"UPDATE cards SET position = -position WHERE list_id = " + orNull(g.some("lists")),
		"UPDATE comments SET body = body || '!' WHERE length(body) < 100 AND id % 2 = 0",
		"UPDATE lists SET name = upper(name)",
		"UPDATE users SET name = name || '.' WHERE length(name) < 100",
	})}
}

func bulkMove(g *Generator) []string {
	return []string{g.draw([]string{
		"UPDATE cards SET list_id = " + g.link("lists") + " WHERE list_id = " + orNull(g.some("lists")),
		"UPDATE lists SET board_id = " + g.link("boards") + " WHERE id % 3 = 0",
		"UPDATE comments SET card_id = " + g.link("cards") + " WHERE id % 4 = 1",
		"UPDATE cards SET assignee_id = " + g.link("users") + " WHERE id % 2 = 0",
	})}
}

func bulkDelete(g *Generator) []string {
	return []string{g.draw([]string{
		"DELETE FROM comments WHERE id % 3 = 0",
		"DELETE FROM cards WHERE list_id IS NULL",
		"DELETE FROM cards WHERE id % 5 = 0",
		"DELETE FROM lists WHERE id % 4 = 0",
	})}
}

// replace puts another row in the place of one with the same key.
func replace(g *Generator) []string {
	table := g.draw(anyTable)
	return together(orReplace(g.insert(table, g.some(table), "")))
}

func orReplace(insert string) string {
	return strings.Replace(insert, "INSERT", "INSERT OR REPLACE", 1)
}

// replaceAnother displaces a row of another key through a unique column.
func replaceAnother(g *Generator) []string {
	for _, r := range g.data.Tables["users"] {
		key := g.fresh("users")
		if r["handle"] == nil || key == "" || g.rng.IntN(2) == 0 {
			continue
		}
		return []string{fmt.Sprintf("INSERT OR REPLACE INTO users VALUES (%s, %s, %s)", key, g.text(), literal(r["handle"]))}
	}
	return nil
}

func upsert(g *Generator) []string {
	insert := g.insert("cards", g.some("cards"), "")
	if insert == "" {
		return nil
	}
	return []string{insert + " ON CONFLICT(id) DO UPDATE SET title = excluded.title, list_id = excluded.list_id"}
}

func changeKey(g *Generator) []string {
	table := g.draw(anyTable)
	from, to := g.some(table), g.fresh(table)
	if from == "" || to == "" {
		return nil
	}
	column := keyColumn(table)
	return []string{fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s = %s", table, column, to, column, from)}
}

// savepoint rolls a part of the transaction back.
func (g *Generator) savepoint() []string {
	all := g.several(0, 3)
	all = append(all, "SAVEPOINT half")
	all = append(all, g.several(1, 4)...)
	all = append(all, "ROLLBACK TO half")
	all = append(all, g.several(0, 2)...)
	return append(all, "RELEASE half")
}
