package schema_test

import (
	"reflect"
	"testing"

	"github.com/pando-sync/pando/schema"
)

// BenchmarkComplete fills what is derived of a row: nothing, a tuple, and what
// methods make.
func BenchmarkComplete(b *testing.B) {
	for _, c := range []struct {
		name string
		of   reflect.Type
	}{{"plain", reflect.TypeFor[Kinds]()}, {"tuple", reflect.TypeFor[TwoParts]()}, {"methods", reflect.TypeFor[Parcel]()}} {
		b.Run(c.name, func(b *testing.B) {
			tree, err := schema.NewRegistry().Tree(c.of)
			if err != nil {
				b.Fatal(err)
			}
			table := tree.Root.Type.Table
			row := make(schema.Row, len(table.Columns))
			for i, column := range table.Columns {
				if column.Kind == schema.Int {
					row[i] = schema.IntValue(7)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				table.Complete(row)
			}
		})
	}
}
