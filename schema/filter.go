package schema

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// CondSpec is a condition as it is declared, by names: what the tag filter, the
// option Filter and ListSpec are made of.
type CondSpec struct {
	// Column is the column's name, which the struct declares.
	Column string
	Op     Op
	// Operands are one for a comparison, any number for In, none for IsNull and
	// NotNull.
	Operands []OperandSpec
}

// OperandSpec is what a condition compares with, as it is declared.
type OperandSpec struct {
	// Const is a Go value that the column could hold, when Env is empty.
	Const any
	// Env names a value that a stream brings, as EnvVar.Name does.
	Env string
}

// constText is a constant in a tag, whose kind its column tells.
type constText string

// signs are the comparisons as the tag filter writes them, longer ones first.
var signs = []struct {
	sign string
	op   Op
}{{"!=", Ne}, {">=", Ge}, {"<=", Le}, {"=", Eq}, {"<", Lt}, {">", Gt}}

var errFilter = errors.New("no condition: write COLUMN=VALUE, with =, !=, <, <=, > or >=, and null, $user, $argument or a constant for VALUE")

// parseFilter reads a condition of the tag filter. That a column is none of
// several values becomes a condition for each.
func parseFilter(text string) ([]CondSpec, error) {
	at := strings.IndexAny(text, "!=<>")
	if at <= 0 {
		return nil, errFilter
	}
	for _, s := range signs {
		if value, found := strings.CutPrefix(text[at:], s.sign); found {
			return filterOf(text[:at], s.op, strings.Split(value, "|"))
		}
	}
	return nil, errFilter
}

func filterOf(column string, op Op, values []string) ([]CondSpec, error) {
	if len(values) == 1 && values[0] == "null" {
		switch op {
		case Eq:
			return []CondSpec{{Column: column, Op: IsNull}}, nil
		case Ne:
			return []CondSpec{{Column: column, Op: NotNull}}, nil
		default:
			return nil, errors.New("nothing is above or below null: write =null or !=null")
		}
	}
	var operands []OperandSpec
	for _, v := range values {
		switch {
		case v == "" || v == "null":
			return nil, fmt.Errorf("the value %q cannot stand here: write a constant, $user or $argument", v)
		case v[0] == '$':
			operands = append(operands, OperandSpec{Env: v})
		default:
			operands = append(operands, OperandSpec{Const: constText(v)})
		}
	}
	switch {
	case len(operands) == 1:
		return []CondSpec{{column, op, operands}}, nil
	case op == Eq:
		return []CondSpec{{column, In, operands}}, nil
	case op == Ne:
		var all []CondSpec
		for i := range operands {
			all = append(all, CondSpec{column, Ne, operands[i : i+1]})
		}
		return all, nil
	default:
		return nil, fmt.Errorf("%s takes one value: leave out the others", op)
	}
}

// where adds the conditions to a layer over the struct.
func (b *builder) where(l *Layer, d *decl, specs []CondSpec) error {
	for _, spec := range specs {
		c, err := b.condition(l.Type.Table, d, spec)
		if err != nil {
			return err
		}
		l.Where = append(l.Where, c)
	}
	return nil
}

// condition finds the column that a condition names, which is read from then
// on, and makes its operands values of the column's kind.
func (b *builder) condition(t *Table, d *decl, spec CondSpec) (Condition, error) {
	column, err := b.registry.compared(t, d, spec.Column)
	if err != nil {
		return Condition{}, err
	}
	if want := spec.Op.operands(); want >= 0 && want != len(spec.Operands) {
		return Condition{}, fmt.Errorf("%s takes %d values and is given %d: mend the condition on %s", spec.Op, want, len(spec.Operands), spec.Column)
	}
	c := Condition{Column: column, Op: spec.Op}
	for _, o := range spec.Operands {
		operand, err := b.operand(t.Columns[column].Kind, o)
		if err != nil {
			return Condition{}, fmt.Errorf("column %s: %w", spec.Column, err)
		}
		c.Operands = append(c.Operands, operand)
	}
	return c, nil
}

// operands is the number of operands, -1 for any.
func (o Op) operands() int {
	switch o {
	case IsNull, NotNull:
		return 0
	case In:
		return -1
	default:
		return 1
	}
}

// compared returns the column of a struct by which rows are selected or
// sorted, and adds it to the table when it is new.
func (r *Registry) compared(t *Table, d *decl, name string) (int, error) {
	declared := d.byColumn(name)
	switch {
	case declared == nil:
		return 0, fmt.Errorf("%s declares no column %s: add a field for it, with json:\"-\" when it is not to be sent", d.name, name)
	case declared.kind == JSON || declared.kind == Bytes:
		return 0, fmt.Errorf("column %s is %s, which is not compared: use another column", name, declared.kind)
	}
	column, err := r.column(t, name, declared.kind, declared.nullable, declared.String())
	if err != nil {
		return 0, err
	}
	t.Columns[column].Compared = true
	return column, nil
}

func (b *builder) operand(k Kind, spec OperandSpec) (Operand, error) {
	if spec.Env != "" {
		return Operand{Env: b.env(EnvVar{spec.Env, k})}, nil
	}
	v, err := k.constant(spec.Const)
	return Operand{Value: v, Env: -1}, err
}

// env is the index of a stream's value, which is added when it is new.
func (b *builder) env(v EnvVar) int {
	i := slices.Index(b.tree.Env, v)
	if i < 0 {
		i = len(b.tree.Env)
		b.tree.Env = append(b.tree.Env, v)
	}
	return i
}

// constant makes a Go value that a condition compares with one of the kind.
func (k Kind) constant(src any) (Value, error) {
	if text, ok := src.(constText); ok {
		v, err := k.FromDriver(string(text))
		if k == Bool || k == Int || k == UUID {
			v, err = k.ParseText(string(text))
		}
		if err != nil || v.IsNull() {
			return Value{}, fmt.Errorf("%q is no %s: write a value of the column", text, k)
		}
		return v, nil
	}
	plain, err := plainOf(reflect.ValueOf(src))
	if err != nil {
		return Value{}, err
	}
	v, err := k.FromDriver(plain)
	if err == nil && v.IsNull() {
		err = errors.New("nothing is compared with NULL: use IsNull or NotNull")
	}
	return v, err
}

// plainOf makes a Go value one that a database driver could have given.
func plainOf(v reflect.Value) (any, error) {
	switch {
	case !v.IsValid():
		return nil, nil
	case v.Type() == timeType:
		return v.Interface(), nil
	case v.Kind() == reflect.Array && v.Len() == 16 && v.Type().Elem().Kind() == reflect.Uint8:
		var raw [16]byte
		reflect.Copy(reflect.ValueOf(&raw).Elem(), v)
		return raw, nil
	case v.Kind() == reflect.Pointer && v.IsNil():
		return nil, nil
	}
	if valuer, ok := reflect.TypeAssert[driver.Valuer](v); ok {
		return valuer.Value()
	}
	switch {
	case v.Kind() == reflect.Pointer:
		return plainOf(v.Elem())
	case v.Kind() == reflect.Bool:
		return v.Bool(), nil
	case v.CanFloat():
		return v.Float(), nil
	case v.Kind() == reflect.String:
		return v.String(), nil
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return v.Bytes(), nil
	default: // integers, and what FromDriver refuses
		return v.Interface(), nil
	}
}
