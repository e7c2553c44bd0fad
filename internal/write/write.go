package write

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
)

// Op is what a write does.
type Op string

// The operations, as requests name them.
const (
	Save   Op = "save"
	Create Op = "create"
	Delete Op = "delete"
)

// Request is one write as a client asks for it. The functions around requests
// may change Data.
type Request struct {
	Op Op
	// Type is the instance type's name, ID the key of the row to save or delete.
	Type, ID string
	// In is where a row is created: the parent's type, its key and the relation.
	// It is empty for the rows of a list.
	In []string
	// Data are the values to set, Seen those that the client saw, by their names
	// on the wire and as JSON.
	Data, Seen map[string]json.RawMessage
}

// Stream is for whom rows are written, and what the tree is for it.
type Stream struct {
	// Anchor is the key of the tree's root, NULL for a list; Env are the values of
	// Tree.Env; User is whose rows are seen beside those that all see, NULL for
	// nobody's.
	Anchor schema.Value
	Env    []schema.Value
	User   schema.Value
	// Listed tells whether a row stands in a list that is the stream's own; meets
	// tells whether it meets the list's conditions. Nil for any other list.
	Listed func(ctx context.Context, row schema.Row, meets bool) (bool, error)
	// Channel is the first argument of the hooks of an Offer.
	Channel any
}

// Offer is what clients may write of one type, and who decides it. A nil error
// of a hook permits; all of them run in the write's transaction.
type Offer struct {
	*schema.Writable

	// MayLeave lets saved rows leave the tree.
	MayLeave bool
	// Permit decides by operation; those that are not offered have none.
	Permit map[Op]func(ctx context.Context, channel any, c *Change) error
	// Validate is asked about the row as it would be; nil for none.
	Validate func(ctx context.Context, row schema.Row) error
	// CanLink is asked about rows outside of the tree that a link is to lead to,
	// by their type.
	CanLink map[*schema.Type]func(ctx context.Context, channel any, row schema.Row) error

	stored []schema.StoredField
	links  []link
}

// Writer carries out the writes of one channel.
type Writer struct {
	tree   *schema.Tree
	offers map[string]*Offer
}

// New returns the writer of a tree. All trees must be in the registry.
func New(tree *schema.Tree, offers ...*Offer) *Writer {
	w := &Writer{tree: tree, offers: map[string]*Offer{}}
	for _, o := range offers {
		o.stored, o.links = tree.StoredFields(o.Type), linksOf(tree, o)
		w.offers[o.Type.Name] = o
	}
	return w
}

// Result is what a write has done.
type Result struct {
	Type *schema.Type
	// Key is the key of the row that was created, NULL for the other operations.
	Key schema.Value
}

// Apply checks a write and makes it in the transaction, which is to be
// committed by the caller, or rolled back after an error.
func (w *Writer) Apply(ctx context.Context, tx feed.Tx, s *Stream, r *Request) (Result, error) {
	o, err := w.declared(r)
	if err != nil {
		return Result{}, err
	}
	t := &turn{Offer: o, stream: s, request: r, walk: &walk{tx: tx, tree: w.tree, stream: s}}
	t.change = newChange(o, r.Op)
	if err := t.change.parse(r.Data); err != nil {
		return Result{}, err
	}
	switch r.Op {
	case Save:
		return Result{Type: o.Type}, t.save(ctx)
	case Create:
		key, err := t.create(ctx)
		return Result{o.Type, key}, err
	default:
		return Result{Type: o.Type}, t.delete(ctx)
	}
}

// declared finds what is offered of the request's type.
func (w *Writer) declared(r *Request) (*Offer, error) {
	o := w.offers[r.Type]
	if o == nil || o.Permit[r.Op] == nil {
		return nil, rpc.Errorf("unknown_write", "%s of %q is not offered", r.Op, r.Type)
	}
	return o, nil
}

// turn is one write under way.
type turn struct {
	*Offer

	stream  *Stream
	request *Request
	walk    *walk
	change  *Change
}

func (t *turn) save(ctx context.Context) error {
	old, err := t.row(ctx)
	if err != nil {
		return err
	}
	t.change.begin(old)
	if err := t.check(ctx); err != nil {
		return err
	}
	if len(t.change.given) == 0 {
		return nil
	}
	key, err := t.change.Make(ctx, t.walk.tx)
	if err != nil {
		return t.refused(t.request, err)
	}
	return t.remains(ctx, key, t.MayLeave)
}

func (t *turn) delete(ctx context.Context) error {
	old, err := t.row(ctx)
	if err != nil {
		return err
	}
	t.change.begin(old)
	if err := t.check(ctx); err != nil {
		return err
	}
	_, err = t.change.Make(ctx, t.walk.tx)
	return t.refused(t.request, err)
}

func (t *turn) create(ctx context.Context) (schema.Value, error) {
	layer, parent, err := t.place(ctx)
	if err != nil {
		return schema.Value{}, err
	}
	t.change.begin(nil)
	t.change.stand(layer, parent, t.stream)
	if err := t.check(ctx); err != nil {
		return schema.Value{}, err
	}
	if err := t.single(ctx, layer, parent); err != nil {
		return schema.Value{}, err
	}
	key, err := t.change.Make(ctx, t.walk.tx)
	switch {
	case errors.Is(err, ErrNoKey):
		return schema.Value{}, fmt.Errorf("%w: set it in the permission function, by Data.Set", err)
	case err != nil:
		return schema.Value{}, t.refused(t.request, err)
	}
	return key, t.remains(ctx, key, false)
}

// check does what is to be done before the statement.
func (t *turn) check(ctx context.Context) error {
	for _, step := range []func(context.Context) error{t.readable, t.permit, t.validate, t.unseen, t.linked} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// row finds the row of a save or a delete in the tree, and locks it.
func (t *turn) row(ctx context.Context) (schema.Row, error) {
	if len(t.request.In) > 0 {
		return nil, rpc.Errorf("bad_request", "%s has no member in: it is for create", t.request.Op)
	}
	row, err := t.walk.find(ctx, t.Type.Table, t.request.ID, feed.Exclusive)
	if err != nil || row == nil {
		return nil, denied(err)
	}
	shown, err := t.walk.shows(ctx, t.Type, row)
	if err != nil || !shown {
		return nil, denied(err)
	}
	return row, nil
}

// place finds where a row is to be created: the layer, and the parent's row in
// the tree, nil for a list.
func (t *turn) place(ctx context.Context) (*schema.Layer, schema.Row, error) {
	layers, err := t.relation()
	if err != nil {
		return nil, nil, err
	}
	first := layers[0]
	if first.Relation == schema.List {
		return first, nil, nil
	}
	lock := feed.Shared
	if first.Relation == schema.HasOne {
		lock = feed.Exclusive // only one at a time may find that there is none
	}
	parent, err := t.walk.find(ctx, first.Parent.Type.Table, t.request.In[1], lock)
	if err != nil || parent == nil {
		return nil, nil, denied(err)
	}
	for _, l := range layers {
		shown, err := t.walk.stands(ctx, l.Parent, []schema.Row{parent})
		if err != nil {
			return nil, nil, err
		}
		if shown {
			return l, parent, nil
		}
	}
	return nil, nil, denied(nil)
}

// relation is the layers of the relation that a create names: more than one
// where a struct stands below itself.
func (t *turn) relation() ([]*schema.Layer, error) {
	in := t.request.In
	switch {
	case t.request.ID != "":
		return nil, rpc.Errorf("bad_request", "create has no member id: the server tells the key")
	case len(in) != 0 && len(in) != 3:
		return nil, rpc.Errorf("bad_request", "in is the parent's type, its key and the relation")
	}
	var layers []*schema.Layer
	for _, l := range t.In {
		list := l.Relation == schema.List
		if list && len(in) == 0 || !list && len(in) == 3 && l.Parent.Type.Name == in[0] && l.Name == in[2] {
			layers = append(layers, l)
		}
	}
	if layers == nil {
		return nil, rpc.Errorf("unknown_write", "create of %q is not offered there", t.request.Type)
	}
	return layers, nil
}

// single refuses a second row where a relation has one.
func (t *turn) single(ctx context.Context, l *schema.Layer, parent schema.Row) error {
	if l.Relation != schema.HasOne {
		return nil
	}
	taken := false
	q := feed.Query{
		Table: l.Type.Table, Column: l.Link, Values: []schema.Value{parent[l.Parent.Type.Table.Key]},
		Where: schema.Bind(slices.Concat(l.Where, l.Shown().Where), t.stream.Env),
	}
	err := t.walk.tx.Rows(ctx, q, feed.Shared, func(row schema.Row) error {
		taken = taken || l.UserKey < 0 || row[l.UserKey] == t.stream.User
		return nil
	})
	if err == nil && taken {
		return rpc.Errorf("conflict", "%s has one already", l.Name)
	}
	return err
}

// remains tells whether a row that was written belongs to the tree.
func (t *turn) remains(ctx context.Context, key schema.Value, mayLeave bool) error {
	row, err := t.walk.byKey(ctx, t.Type.Table, key, feed.Exclusive)
	if err != nil {
		return err
	}
	if row != nil && mayLeave {
		return t.sameTenant(row)
	}
	shown := false
	if row != nil {
		shown, err = t.walk.shows(ctx, t.Type, row)
	}
	if err == nil && !shown {
		return rpc.Errorf("denied", "the row would not be in the stream's tree")
	}
	return err
}

// sameTenant refuses a row that has changed its tenant, which no row may.
func (t *turn) sameTenant(row schema.Row) error {
	for i := range row {
		if row[i] != t.change.old[i] && t.walk.tree.Everywhere(t.Type, i) {
			return rpc.Errorf("denied", "the row would leave its tenant")
		}
	}
	return nil
}
