package pando

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// Query says which rows a [List] shows, in what order and how many. It is an
// [Option] of For, begun by Where, OrderBy or Limit:
//
//	pando.Where("project_id", pando.Eq(pando.Arg("project_id"))).
//		Where("done", pando.Eq(false)).
//		OrderBy("-created_at").Limit(50)
//
// For a [Channel] it may have conditions, which the anchor has to meet: one that
// does not is as if it did not exist.
type Query struct {
	where []schema.CondSpec
	order []string
	limit int
}

// Where asks of a column of the state's struct, which has to declare it, that a
// test holds. All conditions have to.
func Where(column string, test Test) Query { return Query{}.Where(column, test) }

// OrderBy sorts a list by columns, "-created_at" descending. Rows that are
// equal in all of them are sorted by key.
func OrderBy(columns ...string) Query { return Query{}.OrderBy(columns...) }

// Limit shows the first n rows of a list.
func Limit(n int) Query { return Query{}.Limit(n) }

// Where adds a condition.
func (q Query) Where(column string, test Test) Query {
	q.where = slices.Clone(q.where)
	for _, c := range test {
		c.Column = column
		q.where = append(q.where, c)
	}
	return q
}

// OrderBy adds columns to the order.
func (q Query) OrderBy(columns ...string) Query {
	q.order = slices.Concat(q.order, columns)
	return q
}

// Limit sets the number of rows.
func (q Query) Limit(n int) Query {
	q.limit = n
	return q
}

func (q Query) apply(d *Declaration) {
	d.query.where = append(d.query.where, q.where...)
	d.query.order = append(d.query.order, q.order...)
	if q.limit != 0 {
		d.query.limit = q.limit
	}
}

// Test is what a condition asks of a column. Its values are constants that the
// column could hold, or come from the stream: Arg and UserID. As in SQL, NULL
// passes no test but IsNull.
type Test []schema.CondSpec

// Eq passes what equals v.
func Eq(v any) Test { return compare(schema.Eq, v) }

// Ne passes what differs from v.
func Ne(v any) Test { return compare(schema.Ne, v) }

// Lt passes what is less than v.
func Lt(v any) Test { return compare(schema.Lt, v) }

// Le passes what is v or less.
func Le(v any) Test { return compare(schema.Le, v) }

// Gt passes what is greater than v.
func Gt(v any) Test { return compare(schema.Gt, v) }

// Ge passes what is v or greater.
func Ge(v any) Test { return compare(schema.Ge, v) }

// Between passes what is from low to high, both included.
func Between(low, high any) Test { return append(Ge(low), Le(high)...) }

// In passes what is one of the values.
func In(values ...any) Test { return compare(schema.In, values...) }

// IsNull passes NULL.
func IsNull() Test { return compare(schema.IsNull) }

// NotNull passes all but NULL.
func NotNull() Test { return compare(schema.NotNull) }

func compare(op schema.Op, values ...any) Test {
	c := schema.CondSpec{Op: op}
	for _, v := range values {
		if f, ok := v.(FromStream); ok {
			c.Operands = append(c.Operands, schema.OperandSpec{Env: f.name})
		} else {
			c.Operands = append(c.Operands, schema.OperandSpec{Const: v})
		}
	}
	return Test{c}
}

// FromStream is a value that a condition reads of the stream. Streams with the
// same values share what they show.
type FromStream struct{ name string }

// Arg is the route's parameter of this name. Text that is no value of the
// column is a bad_argument error for the client.
func Arg(name string) FromStream { return FromStream{"$" + name} }

// UserID is the id of the stream's user, which nothing equals when it is no
// value of the column.
func UserID() FromStream { return FromStream{userVar} }

// The names of schema.EnvVar: arguments have a $ before theirs.
const (
	userVar   = "$user"
	tenantVar = "tenant"
)

// Tenant asks of the rows of every layer that the column equals what of returns
// for the stream's user: an integer, a text, a UUID, or nil for a user of no
// tenant, who sees nothing. A table that all tenants have in common is exempt
// by pando:"shared" on the relation to it.
func Tenant(column string, of func(Identity) any) Option {
	return option(func(d *Declaration) { d.tenantColumn, d.tenant = column, of })
}

// env are the values that a stream brings to the conditions of its tree.
func (c *channel) env(user Identity, args Args) ([]schema.Value, error) {
	values := make([]schema.Value, len(c.schema.Tree.Env))
	for i, v := range c.schema.Tree.Env {
		switch name, isArg := strings.CutPrefix(v.Name, "$"); {
		case v.Name == userVar:
			values[i] = valueOr(v.Kind, user.ID)
		case v.Name == tenantVar:
			if tenant := c.tenant(user); tenant != nil {
				values[i] = valueOr(v.Kind, fmt.Sprint(tenant))
			}
		case isArg:
			if values[i] = args.value(name); values[i].Kind() == v.Kind {
				continue
			}
			var err error
			if values[i], err = v.Kind.ParseText(args.String(name)); err != nil {
				return nil, badParam(name, v.Kind)
			}
		}
	}
	return values, nil
}

// valueOr parses a value, of which NULL, which nothing equals, stands for all
// that cannot be.
func valueOr(k schema.Kind, text string) schema.Value {
	v, err := k.ParseText(text)
	if err != nil {
		return schema.Value{}
	}
	return v
}

// checkEnv finds conditions on what no stream brings. A parameter that
// conditions compare with columns of one kind is of that kind.
func (c *channel) checkEnv() error {
	kinds := map[string][]schema.Kind{}
	for _, v := range c.schema.Tree.Env {
		name, isArg := strings.CutPrefix(v.Name, "$")
		switch known := slices.ContainsFunc(c.schema.Params, func(p schema.Param) bool { return p.Name == name }); {
		case v.Name == userVar && known:
			return fmt.Errorf("route %q has a parameter {user}, but in conditions $user is the id of the stream's user: rename the parameter", c.schema.Route)
		case v.Name == userVar || v.Name == tenantVar:
		case !isArg || !known:
			return fmt.Errorf("a condition reads %s, but route %q has no parameter {%s}: add it", v.Name, c.schema.Route, name)
		default:
			kinds[name] = append(kinds[name], v.Kind)
		}
	}
	for i := range c.schema.Params {
		if p := &c.schema.Params[i]; i != c.schema.Anchor && len(kinds[p.Name]) == 1 {
			p.Kind = kinds[p.Name][0]
		}
	}
	return nil
}
