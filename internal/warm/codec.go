package warm

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
)

// codec writes the rows of one channel's scopes as bytes.
//
// A row's ID is the place of its table among the tree's, as a varint, and its
// key. Its Data is a byte for the form, a byte with the flags member (1) and
// exists (2), the number of the layers in which what stands below the row is
// linked and their indexes, as varints, and, if it exists, the values of the
// table's stored columns in the table's order. Values are written as
// schema.Value.AppendBinary does. What is derived of others is made on reading.
type codec struct {
	// tables are the tree's, by name; places finds them by their IDs.
	tables []*schema.Table
	places map[int]int
	layers int
}

// form is the first byte of Data. Another one is not read.
const form = 1

const (
	flagMember = 1 << iota
	flagExists
)

func newCodec(tree *schema.Tree) *codec {
	c := &codec{places: map[int]int{}, layers: len(tree.Layers)}
	for _, l := range tree.Layers {
		if !slices.Contains(c.tables, l.Type.Table) {
			c.tables = append(c.tables, l.Type.Table)
		}
	}
	slices.SortFunc(c.tables, func(a, b *schema.Table) int { return cmp.Compare(a.Name, b.Name) })
	for i, t := range c.tables {
		c.places[t.ID] = i
	}
	return c
}

// hash is a hash of all that the bytes depend on.
func (c *codec) hash(tree *schema.Tree, hash string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "form %d of %s\n", form, hash)
	for _, t := range c.tables {
		fmt.Fprintf(&b, "table %s key %s:", t.Name, t.Columns[t.Key].Name)
		for i := range t.Columns {
			if col := &t.Columns[i]; !col.Derived() {
				fmt.Fprintf(&b, " %s %s", col.Name, col.Kind)
			}
		}
		b.WriteByte('\n')
	}
	for _, l := range tree.Layers {
		link := ""
		switch {
		case l.Relation == schema.Root:
		case l.Relation.Forward():
			link = l.Parent.Type.Table.Columns[l.Link].Name
		default:
			link = l.Type.Table.Columns[l.Link].Name
		}
		parent := -1
		if l.Parent != nil {
			parent = l.Parent.Index
		}
		fmt.Fprintf(&b, "layer %d below %d: %s %s %s\n", l.Index, parent, l.Type.Table.Name, l.Relation, link)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

// id is the ID of a row.
func (c *codec) id(t *schema.Table, key schema.Value) string {
	return string(key.AppendBinary(binary.AppendUvarint(nil, uint64(c.places[t.ID]))))
}

// encode writes a statement about a row, without the Version and Since.
func (c *codec) encode(h *route.Held) cache.Row {
	slices.Sort(h.Open)
	var flags byte
	if h.Member {
		flags |= flagMember
	}
	if h.Row != nil {
		flags |= flagExists
	}
	b := binary.AppendUvarint([]byte{form, flags}, uint64(len(h.Open)))
	for _, layer := range h.Open {
		b = binary.AppendUvarint(b, uint64(layer))
	}
	if h.Row != nil {
		for i := range h.Table.Columns {
			if !h.Table.Columns[i].Derived() {
				b = h.Row[i].AppendBinary(b)
			}
		}
	}
	return cache.Row{ID: c.id(h.Table, h.Key), Data: b}
}

var errData = errors.New("the cache holds what nobody has written")

// decode reads a statement.
func (c *codec) decode(r cache.Row) (route.Held, error) {
	h := route.Held{At: r.Version}
	place, n := binary.Uvarint([]byte(r.ID))
	if n <= 0 || place >= uint64(len(c.tables)) {
		return h, errData
	}
	h.Table = c.tables[place]
	var rest []byte
	var err error
	if h.Key, rest, err = schema.CutBinary([]byte(r.ID[n:])); err != nil || len(rest) > 0 {
		return h, errData
	}
	b := r.Data
	if len(b) < 2 || b[0] != form {
		return h, errData
	}
	flags := b[1]
	h.Member = flags&flagMember != 0
	if h.Open, b, err = c.decodeLayers(b[2:]); err != nil {
		return h, err
	}
	if flags&flagExists != 0 {
		h.Row, b, err = decodeRow(h.Table, b)
		if err != nil || h.Row[h.Table.Key] != h.Key {
			return h, errData
		}
	}
	if len(b) > 0 {
		return h, errData
	}
	return h, nil
}

func (c *codec) decodeLayers(b []byte) (open []int, rest []byte, err error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(c.layers) {
		return nil, nil, errData
	}
	b = b[n:]
	for range count {
		layer, n := binary.Uvarint(b)
		if n <= 0 || layer >= uint64(c.layers) {
			return nil, nil, errData
		}
		open = append(open, int(layer))
		b = b[n:]
	}
	return open, b, nil
}

func decodeRow(t *schema.Table, b []byte) (row schema.Row, rest []byte, err error) {
	row = make(schema.Row, len(t.Columns))
	for i := range t.Columns {
		col := &t.Columns[i]
		if col.Derived() {
			continue
		}
		if row[i], b, err = schema.CutBinary(b); err != nil {
			return nil, nil, err
		}
		if k := row[i].Kind(); k != col.Kind && k != schema.Null {
			return nil, nil, errData
		}
	}
	return t.Complete(row), b, nil
}

// textOf is a key's text as it is listed.
func textOf(v schema.Value) string {
	if v.IsNull() {
		return ""
	}
	if s := v.String(); v.Kind() != schema.Bytes && utf8.ValidString(s) {
		return s
	}
	return hex.EncodeToString([]byte(v.Str()))
}

// hashOf is a hash of a value, empty for NULL.
func hashOf(v schema.Value) string {
	if v.IsNull() {
		return ""
	}
	sum := sha256.Sum256(v.AppendBinary(nil))
	return hex.EncodeToString(sum[:16])
}
