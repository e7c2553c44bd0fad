package peer

import (
	"reflect"

	"github.com/pando-sync/pando/schema"
)

// Tree reads the tree of a struct, a pointer to one, or a slice of either, which
// is a list in an order of columns, none for that of its keys.
func Tree(root reflect.Type, order []string, opts ...schema.Option) (*schema.Tree, error) {
	list := root.Kind() == reflect.Slice
	if list {
		root = root.Elem()
	}
	if root.Kind() == reflect.Pointer {
		root = root.Elem()
	}
	if list {
		opts = append([]schema.Option{schema.AsList(schema.ListSpec{Name: root.Name(), Order: order})}, opts...)
	}
	return schema.NewRegistry().Tree(root, opts...)
}
