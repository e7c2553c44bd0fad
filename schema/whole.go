package schema

// Whole has changes of a table carry the row as it was, and returns the column by
// which all of its rows are read: the tuple of no columns, whose only value is
// TupleValue().
func (r *Registry) Whole(t *Table) (all int) {
	t.Whole = true
	return r.together(t, nil, t.Name)
}
