package schema

import "strings"

// Op is how a condition compares a column with its operands.
type Op uint8

// The comparisons. As in SQL, none but IsNull holds for NULL, on either side.
const (
	Eq Op = iota
	Ne
	Lt
	Le
	Gt
	Ge
	// In holds when the column is one of the operands.
	In
	IsNull
	NotNull
)

var opNames = [...]string{"=", "!=", "<", "<=", ">", ">=", "in", "is null", "is not null"}

// String is the comparison as SQL writes it.
func (o Op) String() string { return opNames[o] }

// Operand is what a condition compares with: a constant, or a value that a
// stream brings.
type Operand struct {
	// Value is the constant, when Env is below 0.
	Value Value
	// Env is an index in Tree.Env, -1 for a constant.
	Env int
}

// In returns the operand's value under the values that a stream brings.
func (o Operand) In(env []Value) Value {
	if o.Env < 0 {
		return o.Value
	}
	return env[o.Env]
}

// Condition is one condition on the rows of a layer. A layer's rows meet all
// of its conditions.
type Condition struct {
	// Column is an index in the table's Columns.
	Column int
	Op     Op
	// Operands are one for a comparison, any number for In, none for IsNull and
	// NotNull.
	Operands []Operand
}

// Constant tells whether the condition reads no value of a stream, so that it
// holds for a row or does not, whoever looks.
func (c *Condition) Constant() bool {
	for _, o := range c.Operands {
		if o.Env >= 0 {
			return false
		}
	}
	return true
}

// Holds tells whether a row meets the condition.
func (c *Condition) Holds(row Row, env []Value) bool {
	v := row[c.Column]
	switch c.Op {
	case IsNull:
		return v.IsNull()
	case NotNull:
		return !v.IsNull()
	case In:
		for _, o := range c.Operands {
			if w := o.In(env); w == v && !v.IsNull() {
				return true
			}
		}
		return false
	default:
		return c.Op.compares(v, c.Operands[0].In(env))
	}
}

func (o Op) compares(v, w Value) bool {
	if v.IsNull() || w.IsNull() {
		return false
	}
	switch o {
	case Eq:
		return v == w
	case Ne:
		return v != w
	case Lt:
		return v.Compare(w) < 0
	case Le:
		return v.Compare(w) <= 0
	case Gt:
		return v.Compare(w) > 0
	default:
		return v.Compare(w) >= 0
	}
}

// Meets tells whether a row meets all conditions.
func Meets(where []Condition, row Row, env []Value) bool {
	for i := range where {
		if !where[i].Holds(row, env) {
			return false
		}
	}
	return true
}

// EnvVar is a value that a stream brings to the conditions of its tree. Two
// streams with the same values share a scope.
type EnvVar struct {
	// Name says what it is: "$user" is the user's id, "$name" an argument of
	// the route, "tenant" what the channel's tenant function returns.
	Name string
	// Kind is the kind of the columns that it is compared with.
	Kind Kind
}

// Bound is a condition with its operands' values.
type Bound struct {
	Column int
	Op     Op
	Values []Value
}

// Bind puts the values of a stream into conditions.
func Bind(where []Condition, env []Value) []Bound {
	bound := make([]Bound, len(where))
	for i, c := range where {
		bound[i] = Bound{Column: c.Column, Op: c.Op}
		for _, o := range c.Operands {
			bound[i].Values = append(bound[i].Values, o.In(env))
		}
	}
	return bound
}

// Holds tells whether a row meets the condition.
func (b *Bound) Holds(row Row) bool {
	c := Condition{Column: b.Column, Op: b.Op}
	for _, v := range b.Values {
		c.Operands = append(c.Operands, Operand{Value: v, Env: -1})
	}
	return c.Holds(row, nil)
}

// String shows a condition in messages.
func (b *Bound) String() string {
	var s strings.Builder
	s.WriteString(b.Op.String())
	for _, v := range b.Values {
		s.WriteString(" " + v.String())
	}
	return s.String()
}
