package pandogorm_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"gorm.io/driver/sqlite"

	"github.com/pando-sync/pando/adapters/pandogorm"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
)

// Models whose relations are unusual.
type (
	Owned struct {
		HolderID uint
		Holder   *Holder
	}
	Holder struct{ ID uint }
	Node   struct {
		Owned

		ID       uint
		ParentID *uint
		Parent   *Node
		Children []Node  `gorm:"foreignKey:ParentID" pando:"depth:2"`
		Grants   []Grant `gorm:"foreignKey:NodeRef;references:ID"`
		Friends  []*Node `gorm:"many2many:friendships;joinForeignKey:From;joinReferences:To" pando:"depth:1"`
	}
	Grant struct {
		Realm   string `gorm:"primaryKey"`
		Nr      int    `gorm:"primaryKey"`
		NodeRef uint
		Uses    []Use `gorm:"foreignKey:GrantNr,GrantRealm;references:Nr,Realm"`
	}
	Use struct {
		ID         uint
		GrantRealm string
		GrantNr    int
		Where      string `gorm:"->:false"`
	}
)

func TestShapes(t *testing.T) {
	db := open(t, sqlite.New(sqlite.Config{Conn: pandotest.Database(t)}))
	r := schema.NewRegistry()
	tree, err := r.Tree(reflect.TypeFor[Node](), schema.Mapped(pandogorm.Models(db, &Node{})),
		schema.Include("Holder", "Children", "Grants.Uses", "Friends"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, l := range tree.Layers[1:] {
		holder := l.LinkType()
		fmt.Fprintf(&got, "%s %s %s.%s\n", l.Path, l.Relation, holder.Table.Name, holder.Table.Columns[l.Link].Name)
	}
	want := `holder belongsTo lib_node.holder_id
children hasMany lib_node.parent_id
grants hasMany lib_grant.node_ref
grants.uses hasMany lib_use.(grant_realm,grant_nr)
friends hasMany lib_friendships.from
friends.@ belongsTo lib_friendships.to
`
	if got.String() != want {
		t.Errorf("the layers are\n%s\nwant\n%s", got.String(), want)
	}
	for _, table := range r.Tables {
		for _, c := range table.Columns {
			if c.Name == "where" {
				t.Error("a column that GORM must not read is read")
			}
		}
	}
}
