package world

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
)

// Write is one write of a client.
type Write struct {
	Offer *Offer
	Op    string
	// ID is the key of the row to save or delete, Parent that of the row below
	// which one is created in Place.
	ID     string
	Place  Place
	Parent string
	// Data and Seen are as requests have them.
	Data, Seen map[string]json.RawMessage
	// Want are the values of columns as they travel, Links those that are links
	// with the keys that they lead to, "" for nowhere.
	Want  map[string]string
	Links []Linked
	// Key is what the server sets a new row's key to, by columns.
	Key map[string]any
	// Mark is the row's, "" where it is not written.
	Mark string
	// Invalid tells that a value is not what its field takes.
	Invalid bool
}

// Linked is a link that is set.
type Linked struct {
	Link []string
	To   string
}

// writing draws one write.
type writing struct {
	*Write

	rng     *rand.Rand
	gen     *Generator
	data    *oracle.Data
	members map[oracle.Member]bool
	table   *model.Table
}

// DrawWrite draws a write of an offer for a database that holds data, where the
// tree of the client has members. It is nil when there is nothing to write.
func DrawWrite(rng *rand.Rand, o *Offer, op string, data *oracle.Data, members map[oracle.Member]bool) *Write {
	d := &writing{
		Write: &Write{Offer: o, Op: op, Data: map[string]json.RawMessage{}, Want: map[string]string{}},
		rng:   rng, gen: NewGenerator(rng, data.Schema), data: data, members: members, table: o.Table,
	}
	d.gen.data = data
	switch op {
	case "create":
		if len(o.Places) == 0 {
			return nil
		}
		d.Place = o.Places[rng.IntN(len(o.Places))]
		if d.Place.Parent != nil {
			if d.Parent = d.target(d.data.Schema.Table(d.Place.Parent.Table), d.at(d.Place.Parent, d.Place.Layer.Name)); d.Parent == "" {
				return nil
			}
		}
		if !d.newKey() {
			return nil
		}
		if !slices.Contains(o.Struct.Fields, "mark") {
			d.Key["mark"] = unquote(d.gen.mark())
		}
		d.fill()
	default:
		if d.ID = d.target(o.Table, d.at(o.Struct, "")); d.ID == "" {
			return nil
		}
		if op == "save" {
			d.fill()
		}
		d.look()
	}
	return d.Write
}

// at tells rows of a struct, or places below them.
func (*writing) at(l *model.Layer, relation string) func(oracle.Member) bool {
	return func(m oracle.Member) bool { return m.Struct == l && m.Relation == relation }
}

// target draws the key of a row: mostly of one of the tree, else of any, else of
// none.
func (d *writing) target(t *model.Table, in func(oracle.Member) bool) string {
	var inside []string
	for m := range d.members {
		if in(m) {
			inside = append(inside, m.Key)
		}
	}
	slices.Sort(inside)
	switch n := d.rng.IntN(12); {
	case n < 10: // "" where there is none
		return d.gen.draw(slices.Compact(inside))
	case n < 11 && len(d.data.Tables[t.Name]) > 0:
		rows := d.data.Tables[t.Name]
		return oracle.KeyText(t, rows[d.rng.IntN(len(rows))])
	default:
		return d.gen.draw(Keys(t))
	}
}

// newKey draws the key of a new row, where the database and the library do not
// make one.
func (d *writing) newKey() bool {
	d.Key = map[string]any{}
	if kind := d.table.Column(d.table.Key[0]).Kind; len(d.table.Key) == 1 && kind != model.Text {
		return true
	}
	key := d.gen.fresh(d.table)
	if key == "" {
		return false
	}
	for i, part := range parts(key) {
		// The link to the parent is the library's to set.
		if d.Place.Parent == nil || !slices.Contains(d.Place.Layer.Link, d.table.Key[i]) {
			d.Key[d.table.Key[i]] = value(d.table.Column(d.table.Key[i]).Kind, part)
		}
	}
	return true
}

// fill draws the values to set.
func (d *writing) fill() {
	fields := slices.DeleteFunc(slices.Clone(d.Offer.Struct.Fields), func(name string) bool { return slices.Contains(d.table.Key, name) })
	for _, name := range fields {
		c := d.table.Column(name)
		switch {
		case c.References != "":
			if d.rng.IntN(6) == 0 {
				d.link(name, []string{name}, true)
			}
		case c.Marked && (d.Op == "create" || d.rng.IntN(4) > 0):
			d.Mark = fmt.Sprintf("~%08x~%s", d.rng.Uint32(), d.gen.draw(words))
			d.set(name, c, d.Mark)
		case !c.Marked && d.rng.IntN(3) == 0:
			d.set(name, c, value(c.Kind, d.gen.common(c)))
		}
	}
	for _, child := range d.Offer.Struct.Layers {
		// A link of several columns is not written.
		if child.Relation == model.BelongsTo && len(child.Link) == 1 && d.rng.IntN(3) == 0 {
			d.link(child.Name, child.Link, false)
		}
	}
	if len(fields) > 0 && d.rng.IntN(25) == 0 {
		name := fields[d.rng.IntN(len(fields))]
		if c := d.table.Column(name); c.Kind != model.JSON {
			d.Data[name], d.Invalid = json.RawMessage(`{"no":1}`), true
		}
	}
}

func (d *writing) set(name string, c *model.Column, v any) {
	d.Want[c.Name] = oracle.Text(d.table, c.Name, v)
	d.Data[name] = json.RawMessage(d.Want[c.Name])
}

// link draws where a link is to lead, given by a relation or by its column.
func (d *writing) link(name string, link []string, plain bool) {
	for _, column := range link {
		if _, set := d.Want[column]; set || slices.Contains(d.table.Key, column) {
			return
		}
	}
	to := d.data.Schema.Table(d.table.Column(link[0]).References)
	if plain && len(to.Key) > 1 {
		return // a part of a link
	}
	linked := Linked{Link: link}
	if d.rng.IntN(6) > 0 {
		linked.To = d.target(to, func(m oracle.Member) bool { return m.Struct.Table == to.Name && m.Relation == "" })
	}
	if to.Name == "nodes" && d.rng.IntN(3) == 0 && len(d.data.Tables["nodes"]) > 0 {
		rows := d.data.Tables["nodes"]
		linked.To = oracle.KeyText(to, rows[d.rng.IntN(len(rows))])
	}
	// The link to the parent is the library's to set.
	placed := d.Op == "create" && d.Place.Parent != nil && slices.Equal(d.Place.Layer.Link, link)
	if linked.To == "" && !placed && !d.table.Column(link[0]).Nullable {
		d.Invalid = true
	}
	text := json.RawMessage("null")
	if linked.To != "" {
		text, _ = json.Marshal(linked.To) //nolint:errchkjson // a text
	}
	for _, column := range link {
		d.Want[column] = "" // told by Links
	}
	d.Data[name] = text
	d.Links = append(d.Links, linked)
}

// look draws what the client saw: the truth, as far as it is not changed
// meanwhile, or not.
func (d *writing) look() {
	row := d.data.Row(d.table.Name, d.ID)
	fields := d.Offer.Struct.Fields
	if row == nil || d.rng.IntN(4) > 0 {
		return
	}
	name := fields[d.rng.IntN(len(fields))]
	c := d.table.Column(name)
	if slices.Contains(d.table.Key, name) {
		return
	}
	v := row[d.table.Index(name)]
	if d.rng.IntN(4) == 0 && c.References == "" {
		v = value(c.Kind, d.gen.common(c))
	}
	d.Seen = map[string]json.RawMessage{name: json.RawMessage(oracle.Text(d.table, name, v))}
}

// value is an SQL literal of a kind as a database returns it.
func value(kind model.Kind, literal string) any {
	switch {
	case literal == "NULL":
		return nil
	case strings.HasPrefix(literal, "'"):
		return unquote(literal)
	case strings.HasPrefix(literal, "x'"):
		var raw []byte
		if _, err := fmt.Sscanf(literal, "x'%x'", &raw); err != nil {
			return []byte{}
		}
		return raw
	case kind == model.Float:
		f, err := strconv.ParseFloat(literal, 64)
		if err != nil {
			panic(err)
		}
		return f + 0 // no negative zero
	default:
		i, err := strconv.ParseInt(literal, 10, 64)
		if err != nil {
			panic(err)
		}
		return i
	}
}

// Change is a statement that changes the mark of some row, which it returns,
// and of none when the table is empty.
func Change(rng *rand.Rand, data *oracle.Data) Statement {
	g := NewGenerator(rng, data.Schema)
	g.data = data
	t := g.any()
	key := g.some(t)
	if key == "" {
		return Statement{}
	}
	return Statement{t.Name, "UPDATE " + t.Name + " SET mark = " + g.mark() + is(t, key)}
}
