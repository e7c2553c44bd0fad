package pando

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/schema"
)

// Writable lets clients of a channel write rows of T, one of the structs of its
// state, as far as permission functions are given:
//
//	pando.Writable[Task](
//		pando.Save((*ProjectChannel).CanSaveTask),
//		pando.Create((*ProjectChannel).CanCreateTask),
//		pando.Delete((*ProjectChannel).CanDeleteTask),
//	)
//
// Clients set the fields that they are sent, unless they are tagged readonly,
// those tagged writeonly, and belongs-to relations. They never set keys, computed
// fields, the tenant's column, or what tells deleted rows.
//
// Everything happens in one transaction, of which TxOf(ctx) gives permission
// functions the *sql.Tx: the row, or the parent of a new one, is locked and has
// to be in the stream's tree; the permission function is asked; then T's method
// Validate(ctx) error, or Validate() error, if it has one, about the row as it
// would be; links may lead only to rows of the stream's tree, or where CanLink
// allows; and the row has to be in the tree afterwards, see [MayLeave].
//
// HasPermission was asked when the stream was opened, and again as RecheckOn says:
// a permission function asks in the write's own transaction, so that what it
// answers holds at that moment.
//
// A function permits by nil. An [*Error] refuses with its code; any other error
// reaches the client as "internal". Functions may be called more than once for
// one write, when the database rolls its transaction back for the sake of
// others.
//
// All columns that T declares are read from then on, those with json:"-" too, so
// that functions see whole rows; pando:"-" leaves one out. Config.Source has to
// be a feed.Writer.
func Writable[T any](ops ...WriteOption) Option {
	w := &writable{typ: reflect.TypeFor[T](), optimistic: defaultOptimistic, permit: map[write.Op]permission{}}
	for _, op := range ops {
		op.write(w)
	}
	return option(func(d *Declaration) { d.writable = append(d.writable, w) })
}

// WriteOption is a property of what is [Writable]: Save, Create, Delete, CanLink,
// MayLeave, Optimistic and RowType make them.
type WriteOption interface{ write(w *writable) }

type writeOption func(*writable)

func (o writeOption) write(w *writable) { o(w) }

// defaultOptimistic is how long clients show what is not confirmed.
const defaultOptimistic = 30 * time.Second

// Save offers to change rows, if fn permits. old is the row as it is, without
// its relations and what is computed of them.
func Save[C AnyChannel, T any](fn func(c C, ctx context.Context, old T, data Data[T]) error) WriteOption {
	return permits[C, T](write.Save, fn == nil, func(ctx context.Context, c C, change *write.Change) error {
		old, err := decodeRow[T](change.Type(), change.Old())
		if err != nil {
			return err
		}
		return fn(c, ctx, old, Data[T]{change})
	})
}

// Create offers to create rows, if fn permits: below the rows of the tree that
// have them by a has-many or has-one relation, and in a list. The link to the
// parent is set, and so is what the conditions of the place ask for: the values
// of equalities, the tenant, the user of a user_key. A UUID is made for a key of
// that kind.
func Create[C AnyChannel, T any](fn func(c C, ctx context.Context, data Data[T]) error) WriteOption {
	return permits[C, T](write.Create, fn == nil, func(ctx context.Context, c C, change *write.Change) error {
		return fn(c, ctx, Data[T]{change})
	})
}

// Delete offers to delete rows, if fn permits. Rows that are deleted softly stay
// in the table; others have to be without rows that refer to them, as far as the
// database asks for it.
func Delete[C AnyChannel, T any](fn func(c C, ctx context.Context, old T) error) WriteOption {
	return permits[C, T](write.Delete, fn == nil, func(ctx context.Context, c C, change *write.Change) error {
		old, err := decodeRow[T](change.Type(), change.Old())
		if err != nil {
			return err
		}
		return fn(c, ctx, old)
	})
}

// CanLink lets links of the written rows lead to rows of U that are outside of
// the stream's tree, if fn permits. Without it, and where fn is not given, they
// lead to rows of the tree only: a link to another one would show it. Links that
// [Data.Set] has set are not asked for.
func CanLink[C AnyChannel, U any](fn func(c C, ctx context.Context, target U) error) WriteOption {
	return writeOption(func(w *writable) {
		if fn == nil {
			w.faultf("CanLink is given no function")
			return
		}
		w.canLink = append(w.canLink, linkPermission{
			receiver: reflect.TypeFor[C](), target: reflect.TypeFor[U](),
			ask: func(typ *schema.Type) linkAsk {
				return func(ctx context.Context, channel any, row schema.Row) error {
					target, err := decodeRow[U](typ, row)
					if err != nil {
						return err
					}
					return fn(receiver[C](channel), ctx, target)
				}
			},
		})
	})
}

// MayLeave lets saved rows of T leave the stream's tree, as a task that is done
// leaves a list of open ones. Else such a save is "denied". Rows never leave
// their tenant, and links are checked all the same.
func MayLeave[T any]() WriteOption {
	return writeOption(func(w *writable) {
		w.mayLeave = true
		w.names("MayLeave", reflect.TypeFor[T]())
	})
}

// Optimistic says how long clients show a write of T that is not confirmed yet,
// 30 s unless set. With 0 they show none before it is.
func Optimistic[T any](d time.Duration) WriteOption {
	return writeOption(func(w *writable) {
		w.optimistic = d
		w.names("Optimistic", reflect.TypeFor[T]())
	})
}

// RowType gives the struct of the rows, in the place of Writable's type argument,
// to programs that make their types at run time. The functions take any, then,
// and Data[any].
func RowType(t reflect.Type) WriteOption {
	return writeOption(func(w *writable) { w.row = t })
}

// permission is the permission function of one operation.
type permission struct {
	receiver reflect.Type
	ask      func(ctx context.Context, channel any, c *write.Change) error
}

type linkAsk = func(ctx context.Context, channel any, row schema.Row) error

// linkPermission is one CanLink.
type linkPermission struct {
	receiver, target reflect.Type
	ask              func(*schema.Type) linkAsk
}

// writable is one Writable.
type writable struct {
	typ        reflect.Type
	row        reflect.Type // nil for typ
	permit     map[write.Op]permission
	canLink    []linkPermission
	mayLeave   bool
	optimistic time.Duration
	faults     []string
}

func (w *writable) faultf(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// names notes an option that is for rows of another type.
func (w *writable) names(what string, t reflect.Type) {
	if t != w.typ {
		w.faultf("%s is for rows of %s: give one for %s", what, t, w.typ)
	}
}

func permits[C AnyChannel, T any](op write.Op, missing bool, ask func(context.Context, C, *write.Change) error) WriteOption {
	return writeOption(func(w *writable) {
		title := titles[op]
		w.names(title, reflect.TypeFor[T]())
		if missing {
			w.faultf("%s is given no function", title)
		}
		if _, twice := w.permit[op]; twice {
			w.faultf("%s is given twice: leave one out", title)
		}
		w.permit[op] = permission{reflect.TypeFor[C](), func(ctx context.Context, channel any, c *write.Change) error {
			return ask(ctx, receiver[C](channel), c)
		}}
	})
}

var titles = map[write.Op]string{write.Save: "Save", write.Create: "Create", write.Delete: "Delete"}

// receiver is the channel as its own type, which was checked at declaration.
func receiver[C any](channel any) C {
	c, _ := channel.(C)
	return c
}

// compileWrites checks what the channel lets clients write. What is offered is
// final once all trees are in: see offer.
func (c *channel) compileWrites(reg *schema.Registry) error {
	var rows []reflect.Type
	for _, w := range c.writable {
		if w.row == nil {
			w.row = w.typ
		}
		if slices.Contains(rows, w.row) {
			return fmt.Errorf("writable %s: Writable is given twice: put all into one", w.row)
		}
		rows = append(rows, w.row)
		o, err := w.compile(reg, c)
		if err != nil {
			return fmt.Errorf("writable %s: %w", w.row, err)
		}
		c.offers = append(c.offers, o)
		c.schema.Writable = append(c.schema.Writable, o.Writable)
	}
	return nil
}

func (w *writable) compile(reg *schema.Registry, c *channel) (*write.Offer, error) {
	switch {
	case len(w.faults) > 0:
		return nil, fmt.Errorf("%s", w.faults[0])
	case len(w.permit) == 0:
		return nil, fmt.Errorf("it offers no operation: give Save, Create or Delete with a permission function")
	case w.optimistic < 0:
		return nil, fmt.Errorf("Optimistic(%s): give a positive duration, or 0 for none", w.optimistic)
	case w.mayLeave && w.permit[write.Save].ask == nil:
		return nil, fmt.Errorf("MayLeave is for rows that are saved: give Save, or leave it out")
	}
	typ, err := reg.ReadWhole(c.schema.Tree.Types(), w.row)
	if err != nil {
		return nil, err
	}
	validate, err := write.Validator(typ)
	if err != nil {
		return nil, err
	}
	o := &write.Offer{
		Writable: &schema.Writable{Type: typ, Optimistic: w.optimistic}, MayLeave: w.mayLeave, Validate: validate,
		Permit: map[write.Op]func(context.Context, any, *write.Change) error{}, CanLink: map[*schema.Type]linkAsk{},
	}
	for op, p := range w.permit {
		if p.receiver != c.typ {
			return nil, fmt.Errorf("%s is given a function of %s: give one of %s", titles[op], p.receiver, c.typ)
		}
		o.Permit[op] = p.ask
	}
	o.Save, o.Create, o.Delete = o.Permit[write.Save] != nil, o.Permit[write.Create] != nil, o.Permit[write.Delete] != nil
	if o.Create {
		if o.In = write.Places(c.schema.Tree, typ); o.In == nil {
			return nil, fmt.Errorf("Create: no row of the tree has rows of %s by a has-many or has-one relation of its own, so there is no place for a new one: leave Create out, or make an action of it", typ.Name)
		}
	}
	if column := typ.SoftDelete(); o.Delete && column >= 0 && typ.Table.Columns[column].Kind != schema.Time {
		return nil, fmt.Errorf("Delete: column %s tells deleted rows and is %s: make it a time", typ.Table.Columns[column].Name, typ.Table.Columns[column].Kind)
	}
	for _, l := range w.canLink {
		if l.receiver != c.typ {
			return nil, fmt.Errorf("CanLink is given a function of %s: give one of %s", l.receiver, c.typ)
		}
	}
	return o, nil
}

// compileLinks finds the types that CanLink is asked about: they may be of other
// channels.
func (w *writable) compileLinks(reg *schema.Registry, o *write.Offer) error {
	for _, l := range w.canLink {
		target, err := reg.ReadWhole(reg.Types, l.target)
		switch {
		case err != nil:
			return fmt.Errorf("CanLink: %w", err)
		case o.CanLink[target] != nil:
			return fmt.Errorf("CanLink of %s is given twice: leave one out", target.Name)
		case !o.LinksTo(target):
			return fmt.Errorf("CanLink: no link of %s leads to %s: leave it out", o.Type.Name, target.Name)
		}
		o.CanLink[target] = l.ask(target)
	}
	return nil
}

// finishWrites makes the writer of a channel once all trees are in.
func (c *channel) finishWrites(reg *schema.Registry, source feed.Source) error {
	if len(c.offers) == 0 {
		return nil
	}
	if _, ok := source.(feed.Writer); !ok {
		return fmt.Errorf("pando: channel %s: Writable: Config.Source is a %T, which does not write: give one that is a feed.Writer, such as sqlitefeed.New(db)", c.schema.Name, source)
	}
	for _, o := range c.offers {
		o.Fields = c.schema.Tree.WriteFields(o.Type)
	}
	c.writer = write.New(c.schema.Tree, c.offers...)
	for i, o := range c.offers {
		clear(o.CanLink)
		if err := c.writable[i].compileLinks(reg, o); err != nil {
			return fmt.Errorf("pando: channel %s: writable %s: %w", c.schema.Name, o.Type.Name, err)
		}
	}
	return nil
}
