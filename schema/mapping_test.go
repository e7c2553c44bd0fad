package schema_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/pando-sync/pando/schema"
)

// Models of a library that names what it stores by rules of its own.
type (
	Stamp struct{ Made string }
	Ship  struct {
		Stamp  `gorm:"embedded;embeddedPrefix:yard_"`
		Code   string
		Name   string `json:"name"`
		Hidden string
		Cargo  []Crate
		Ports  []Port
		Owner  *Port
		Twin   *Ship `pando:"depth:1"`
		Old    string
	}
	Crate struct {
		Nr     int64
		ShipNo string
	}
	Port struct{ Nr int64 }
	Call struct {
		Nr      int64
		Ship    string
		Place   int64
		Skipped *string `bun:",soft_delete"`
	}
)

var errOld = errors.New("it is written backwards: leave it out")

func mapped(t reflect.Type) (*schema.Mapping, error) {
	numbered := map[string]schema.Column{"Nr": {Name: "no"}}
	switch t {
	case reflect.TypeFor[Ship]():
		return &schema.Mapping{
			Table: "fleet.t_ship", Key: []string{"reg"},
			Columns: map[string]schema.Column{"Stamp.Made": {Name: "yard_made"}, "Code": {Name: "reg"}, "Name": {Name: "nm"}, "Old": {Name: "old"}},
			Relations: map[string]schema.Link{
				"Cargo": {Relation: schema.HasMany, Columns: map[string]string{"reg": "ship_reg"}},
				"Ports": {Relation: schema.HasMany, Columns: map[string]string{"reg": "s"}, Through: "t_call", Targets: map[string]string{"no": "p"}, Between: reflect.TypeFor[Call]()},
				"Owner": {Relation: schema.BelongsTo, Columns: map[string]string{"no": "owner_no"}},
				"Twin":  {Relation: schema.BelongsTo, Columns: map[string]string{"nm": "twin"}},
			},
			Faults: map[string]error{"Old": errOld},
		}, nil
	case reflect.TypeFor[Crate](), reflect.TypeFor[Port]():
		return &schema.Mapping{Table: "t_" + strings.ToLower(t.Name()), Key: []string{"no"}, Columns: numbered}, nil
	case reflect.TypeFor[Call]():
		return &schema.Mapping{Table: "t_call", Key: []string{"no"}, Columns: map[string]schema.Column{
			"Nr": {Name: "no"}, "Ship": {Name: "s"}, "Place": {Name: "p"}, "Skipped": {Name: "skipped"},
		}}, nil
	case reflect.TypeFor[Laptop]():
		return nil, errors.New("parse it: no")
	default:
		return nil, nil
	}
}

func TestMapped(t *testing.T) {
	if _, err := schema.NewRegistry().Tree(reflect.TypeFor[Ship](), schema.Mapped(mapped)); !errors.Is(err, errOld) || !strings.Contains(err.Error(), "Ship.Old") {
		t.Errorf("a field that cannot be followed: %v", err)
	}
	sound := func(m reflect.Type) (*schema.Mapping, error) {
		of, err := mapped(m)
		if of != nil {
			delete(of.Faults, "Old")
			delete(of.Columns, "Old")
		}
		return of, err
	}
	r := schema.NewRegistry()
	tree, err := r.Tree(reflect.TypeFor[Ship](), schema.Mapped(sound), schema.Include("Cargo", "Ports", "Owner"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	showTables(&got, r)
	showTree(&got, tree)
	golden(t, "mapped.txt", got.String())

	for name, refusal := range map[string]struct {
		model   any
		include string
		want    string
	}{
		"another column than the key": {Ship{}, "Twin", "Ship.Twin: a relation by other columns than the key of Ship"},
		"a mapper that fails":         {Laptop{}, "", "Laptop: parse it: no"},
	} {
		t.Run(name, func(t *testing.T) {
			options := []schema.Option{schema.Mapped(sound)}
			if refusal.include != "" {
				options = append(options, schema.Include(refusal.include))
			}
			_, err := schema.NewRegistry().Tree(reflect.TypeOf(refusal.model), options...)
			if err == nil || !strings.Contains(err.Error(), refusal.want) {
				t.Errorf("got %v, want %q", err, refusal.want)
			}
		})
	}
}

func TestTagsThatDoNotSuffice(t *testing.T) {
	type Sealed struct {
		ID   int64
		Text string `gorm:"serializer:sealed"`
	}
	for want, model := range map[string]any{
		`Ship.Stamp: columns with a prefix`:           Ship{},
		`Sealed.Text: gorm serializer "sealed": name`: Sealed{},
	} {
		if _, err := schema.NewRegistry().Tree(reflect.TypeOf(model)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
