package schema

import (
	"fmt"
	"reflect"
	"slices"
)

// Watch has a struct's table followed without a layer over it, with all columns
// that the struct declares, and returns the table and the index of one of them.
func (r *Registry) Watch(t reflect.Type, column string) (*Table, int, error) {
	d, err := r.declare(t)
	if err != nil {
		return nil, 0, err
	}
	table, err := r.table(d)
	if err != nil {
		return nil, 0, err
	}
	at, err := r.compared(table, d, column)
	if err != nil {
		return nil, 0, fmt.Errorf("schema: watch %s: %w", d.name, err)
	}
	if err := r.readAll(table, d); err != nil {
		return nil, 0, err
	}
	if !slices.Contains(table.Watched, at) {
		table.Watched = append(table.Watched, at)
	}
	return table, at, nil
}
