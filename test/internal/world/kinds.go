package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
)

// kind is a way in which transactions change a tree. Each has hurt some sync
// engine before.
type kind struct {
	name   string
	weight int
	// dangling kinds make links to rows that do not exist.
	dangling bool
	rollback bool
	make     func(g *Generator) []Statement
}

// Kinds are the names of all kinds of transactions.
func Kinds() []string {
	names := []string{"delete thousands"}
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

var kinds = []kind{
	{name: "insert", weight: 12, make: (*Generator).insertRow},
	{name: "insert chain", weight: 5, make: (*Generator).chain},
	{name: "update", weight: 12, make: (*Generator).updateRow},
	{name: "update without effect", weight: 3, make: (*Generator).updateNothing},
	{name: "delete", weight: 6, make: (*Generator).deleteRow},
	{name: "delete parent", weight: 4, make: (*Generator).deleteParent},
	{name: "move", weight: 14, make: (*Generator).moveRow},
	{name: "move out", weight: 3, make: (*Generator).moveOut},
	{name: "move in", weight: 6, make: (*Generator).moveIn},
	{name: "there and back", weight: 4, make: (*Generator).thereAndBack},
	{name: "move parent and child", weight: 4, make: (*Generator).moveBoth},
	{name: "dangling", weight: 4, dangling: true, make: (*Generator).dangle},
	{name: "late parent", weight: 5, dangling: true, make: (*Generator).lateParent},
	{name: "swap links", weight: 4, make: (*Generator).swapLinks},
	{name: "swap values", weight: 4, make: (*Generator).swapValues},
	{name: "recreate", weight: 4, make: (*Generator).recreate},
	{name: "recreate later", weight: 5, make: (*Generator).recreateLater},
	{name: "bulk update", weight: 3, make: (*Generator).bulkUpdate},
	{name: "bulk move", weight: 3, make: (*Generator).bulkMove},
	{name: "bulk delete", weight: 1, make: (*Generator).bulkDelete},
	{name: "delete the first", weight: 3, make: (*Generator).deleteFirst},
	{name: "replace", weight: 4, make: (*Generator).replace},
	{name: "replace another", weight: 4, make: (*Generator).replaceAnother},
	{name: "upsert", weight: 3, make: (*Generator).upsert},
	{name: "change key", weight: 4, make: (*Generator).changeKey},
	{name: "savepoint", weight: 4, make: (*Generator).savepoint},
	{name: "mixed", weight: 8, make: func(g *Generator) []Statement { return g.several(2, 8) }},
	{name: "insert thousands", weight: 1, make: (*Generator).thousands},
	{name: "rollback", weight: 4, rollback: true, make: func(g *Generator) []Statement { return g.several(1, 6) }},
}

func (g *Generator) insertRow() []Statement {
	t := g.any()
	return []Statement{g.insert(t, g.fresh(t), nil)}
}

// chain is a row with one below it and one below that, in either order: links
// are checked at the commit.
func (g *Generator) chain() []Statement {
	t, link := g.linked()
	if t == nil {
		return nil
	}
	parent := g.schema.Table(t.Column(link[0]).References)
	above, key := g.fresh(parent), g.fresh(t)
	if above == "" || key == "" || parent == t {
		return nil
	}
	all := []Statement{g.insert(parent, above, nil), g.insert(t, key, fix(link, above))}
	for _, child := range g.schema.Tables {
		for _, l := range child.Links() {
			if child.Column(l[0]).References == t.Name && child != t && child != parent && len(all) == 2 {
				all = append(all, g.insert(child, g.fresh(child), fix(l, key)))
			}
		}
	}
	if g.rng.IntN(2) == 0 {
		slices.Reverse(all)
	}
	return all
}

func (g *Generator) updateRow() []Statement {
	t := g.any()
	return []Statement{g.update(t, g.some(t))}
}

func (g *Generator) updateNothing() []Statement {
	t := g.any()
	return []Statement{{t.Name, "UPDATE " + t.Name + " SET mark = mark || ''"}}
}

func (g *Generator) deleteRow() []Statement {
	t := g.any()
	return []Statement{remove(t, g.some(t))}
}

// deleteParent deletes a row that others are below.
func (g *Generator) deleteParent() []Statement {
	t, link := g.linked()
	if t == nil {
		return nil
	}
	parent := g.schema.Table(t.Column(link[0]).References)
	live := g.keys(parent)
	for _, r := range g.data.Tables[t.Name] {
		if key := held(t, r, link); slices.Contains(live, key) && g.rng.IntN(3) == 0 {
			return []Statement{remove(parent, key)}
		}
	}
	return nil
}

func (g *Generator) moveRow() []Statement {
	t, link := g.linked()
	if t == nil {
		return nil
	}
	return []Statement{move(t, g.some(t), link, g.some(g.schema.Table(t.Column(link[0]).References)))}
}

func (g *Generator) moveOut() []Statement {
	t, link := g.linked()
	if t == nil || !t.Column(link[0]).Nullable {
		return nil
	}
	return []Statement{move(t, g.some(t), link, nothing(link))}
}

// moveIn brings a row from nowhere to a parent that exists.
func (g *Generator) moveIn() []Statement {
	t, link := g.linked()
	if t == nil {
		return nil
	}
	live := g.keys(g.schema.Table(t.Column(link[0]).References))
	var outside []string
	for _, r := range g.data.Tables[t.Name] {
		if !slices.Contains(live, held(t, r, link)) {
			outside = append(outside, keyOf(t, r))
		}
	}
	return []Statement{move(t, g.draw(outside), link, g.draw(live))}
}

func (g *Generator) row(t *model.Table) oracle.Row {
	rows := g.data.Tables[t.Name]
	if len(rows) == 0 {
		return nil
	}
	return rows[g.rng.IntN(len(rows))]
}

func (g *Generator) thereAndBack() []Statement {
	t, link := g.linked()
	if t == nil {
		return nil
	}
	r := g.row(t)
	if r == nil {
		return nil
	}
	away := move(t, keyOf(t, r), link, g.target(t, link))
	back := move(t, keyOf(t, r), link, held(t, r, link))
	if g.rng.IntN(2) == 0 {
		return []Statement{away, g.one(), back}
	}
	return []Statement{away, back}
}

// moveBoth moves a row and one that is below it.
func (g *Generator) moveBoth() []Statement {
	t, link := g.linked()
	if t == nil {
		return nil
	}
	parent := g.schema.Table(t.Column(link[0]).References)
	r := g.row(t)
	if r == nil || len(parent.Links()) == 0 {
		return nil
	}
	up := parent.Links()[g.rng.IntN(len(parent.Links()))]
	above := held(t, r, link)
	if !slices.Contains(g.keys(parent), above) {
		return nil
	}
	all := []Statement{move(parent, above, up, g.target(parent, up)), move(t, keyOf(t, r), link, g.target(t, link))}
	if g.rng.IntN(2) == 0 {
		slices.Reverse(all)
	}
	return all
}

func (g *Generator) dangle() []Statement {
	t, link := g.linked()
	if t == nil {
		return nil
	}
	return []Statement{move(t, g.some(t), link, g.fresh(g.schema.Table(t.Column(link[0]).References)))}
}

// lateParent inserts a row that others name already.
func (g *Generator) lateParent() []Statement {
	t, link := g.linked()
	if t == nil {
		return nil
	}
	parent := g.schema.Table(t.Column(link[0]).References)
	live := g.keys(parent)
	var missing []string
	for _, r := range g.data.Tables[t.Name] {
		if key := held(t, r, link); !strings.Contains(key, "NULL") && !slices.Contains(live, key) {
			missing = append(missing, key)
		}
	}
	return []Statement{g.insert(parent, g.draw(missing), nil)}
}

func (g *Generator) swapLinks() []Statement {
	t, link := g.linked()
	if t == nil {
		return nil
	}
	a, b := g.row(t), g.row(t)
	if a == nil || held(t, a, link) == held(t, b, link) {
		return nil
	}
	return []Statement{move(t, keyOf(t, a), link, held(t, b, link)), move(t, keyOf(t, b), link, held(t, a, link))}
}

// swapValues gives two rows each other's value in one statement.
func (g *Generator) swapValues() []Statement {
	t := g.any()
	plain := t.Plain()
	a, b := g.row(t), g.row(t)
	if a == nil || len(plain) == 0 || len(t.Key) > 1 || keyOf(t, a) == keyOf(t, b) {
		return nil
	}
	return []Statement{{t.Name, fmt.Sprintf("UPDATE %[1]s SET %[2]s = (SELECT o.%[2]s FROM %[1]s o "+
		"WHERE o.id IN (%[3]s, %[4]s) AND o.id <> %[1]s.id) WHERE id IN (%[3]s, %[4]s)",
		t.Name, plain[g.rng.IntN(len(plain))].Name, keyOf(t, a), keyOf(t, b))}}
}

// recreate deletes a row and inserts another with its key at once.
func (g *Generator) recreate() []Statement {
	t := g.any()
	key := g.some(t)
	return []Statement{remove(t, key), g.insert(t, key, nil)}
}

// recreateLater inserts a row with a key that was deleted before.
func (g *Generator) recreateLater() []Statement {
	t := g.any()
	live := g.keys(t)
	free := slices.DeleteFunc(slices.Clone(g.gone[t.Name]), func(key string) bool { return slices.Contains(live, key) })
	return []Statement{g.insert(t, g.draw(free), nil)}
}

// about draws a condition that some rows meet.
func (g *Generator) about(t *model.Table) string {
	switch plain := t.Plain(); {
	case len(plain) > 0 && g.rng.IntN(2) == 0:
		c := plain[g.rng.IntN(len(plain))]
		v := g.value(c)
		if v == "NULL" {
			return " WHERE " + c.Name + " IS NULL"
		}
		return " WHERE " + c.Name + " >= " + v
	default:
		return " WHERE " + g.sql.everyNth(2+g.rng.IntN(3))
	}
}

func (g *Generator) bulkUpdate() []Statement {
	t := g.any()
	where := g.about(t)
	if plain := t.Plain(); len(plain) > 0 && g.rng.IntN(2) == 0 {
		c := plain[g.rng.IntN(len(plain))]
		return []Statement{{t.Name, "UPDATE " + t.Name + " SET " + c.Name + " = " + g.value(c) + where}}
	}
	return []Statement{{t.Name, "UPDATE " + t.Name + " SET mark = mark || '!'" + where}}
}

func (g *Generator) bulkMove() []Statement {
	t, link := g.linked()
	if t == nil {
		return nil
	}
	return []Statement{{t.Name, "UPDATE " + t.Name + " SET " + set(link, g.target(t, link), ", ") + g.about(t)}}
}

func (g *Generator) bulkDelete() []Statement {
	t := g.any()
	return []Statement{{t.Name, "DELETE FROM " + t.Name + g.about(t)}}
}

// deleteFirst deletes what a list shows: the first rows by some column.
func (g *Generator) deleteFirst() []Statement {
	t := g.any()
	by := t.Key[0]
	if plain := t.Plain(); len(plain) > 0 && g.rng.IntN(3) > 0 {
		by = plain[g.rng.IntN(len(plain))].Name
	}
	if g.rng.IntN(2) == 0 {
		by += " DESC"
	}
	if c := g.schema.Channels[g.rng.IntN(len(g.schema.Channels))]; c.Limit > 0 {
		t, by = g.schema.Table(c.Root.Table), first(g.schema.Table(c.Root.Table), c.Root.Order)
	}
	return []Statement{g.sql.deleteFirst(t, by, 2+g.rng.IntN(16))}
}

// first is an order as SQL has it.
func first(t *model.Table, order []model.Order) string {
	var by []string
	for _, o := range order {
		if o.Desc {
			by = append(by, o.Column+" DESC")
		} else {
			by = append(by, o.Column)
		}
	}
	return strings.Join(append(by, t.Key...), ", ")
}

// replace puts another row in the place of one with the same key.
func (g *Generator) replace() []Statement {
	t := g.any()
	key := g.some(t)
	return g.sql.replace(t, g.insert(t, key, nil), key, "", "")
}

// replaceAnother displaces a row of another key through a unique column.
func (g *Generator) replaceAnother() []Statement {
	for _, t := range g.schema.Tables {
		i := slices.IndexFunc(t.Columns, func(c *model.Column) bool { return c.Unique })
		if i < 0 {
			continue
		}
		for _, r := range g.data.Tables[t.Name] {
			if r[i] != nil && g.rng.IntN(2) == 0 {
				key, name, taken := g.fresh(t), t.Columns[i].Name, literal(r[i])
				return g.sql.replace(t, g.insert(t, key, map[string]string{name: taken}), key, name, taken)
			}
		}
	}
	return nil
}

func (g *Generator) upsert() []Statement {
	t := g.any()
	s := g.insert(t, g.some(t), nil)
	if s.SQL == "" {
		return nil
	}
	changes := []string{"mark = excluded.mark"}
	for _, link := range t.Links() {
		for _, name := range link {
			changes = append(changes, name+" = excluded."+name)
		}
	}
	s.SQL += " ON CONFLICT(" + strings.Join(t.Key, ", ") + ") DO UPDATE SET " + strings.Join(changes, ", ")
	return []Statement{s}
}

func (g *Generator) changeKey() []Statement {
	t := g.any()
	from, to := g.some(t), g.fresh(t)
	if from == "" || to == "" || g.schema.ForeignKeys && g.linksItself(t, from) {
		return nil
	}
	return []Statement{{t.Name, "UPDATE " + t.Name + " SET " + set(t.Key, to, ", ") + is(t, from)}}
}

// linksItself tells whether a row is its own parent. Its key is not changed
// where links follow: SQLite's AFTER triggers then see the link that was.
func (g *Generator) linksItself(t *model.Table, key string) bool {
	return slices.ContainsFunc(g.data.Tables[t.Name], func(r oracle.Row) bool {
		return keyOf(t, r) == key && slices.ContainsFunc(t.Links(), func(link []string) bool {
			return t.Column(link[0]).References == t.Name && held(t, r, link) == key
		})
	})
}

// savepoint rolls a part of the transaction back.
func (g *Generator) savepoint() []Statement {
	all := g.several(0, 3)
	all = append(all, plain("SAVEPOINT half"))
	all = append(all, g.several(1, 4)...)
	all = append(all, plain("ROLLBACK TO half"))
	all = append(all, g.several(0, 2)...)
	return append(all, plain("RELEASE half"))
}
