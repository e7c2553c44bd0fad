package pandobun

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/uptrace/bun"
	bunschema "github.com/uptrace/bun/schema"

	"github.com/pando-sync/pando/schema"
)

// Models reads how db stores its models, for pando.Config: the ones given, as
// (*Order)(nil) or &Order{}, and those that they have relations to. Other structs
// are read by their tags. The structs of tables between must have been given to
// db.RegisterModel before, as bun itself needs it.
//
// What bun cannot read is told by App.Setup, as wrong declarations are.
func Models(db *bun.DB, models ...any) schema.Mapper {
	read := sync.OnceValues(func() (map[reflect.Type]*bunschema.Table, error) {
		all := map[reflect.Type]*bunschema.Table{}
		for _, model := range models {
			if err := gather(all, db, reflect.TypeOf(model)); err != nil {
				return nil, fmt.Errorf("read model %T: %w", model, err)
			}
		}
		return all, nil
	})
	return func(t reflect.Type) (*schema.Mapping, error) {
		all, err := read()
		if err != nil || all[t] == nil {
			return nil, err
		}
		return mapping(all[t]), nil
	}
}

// gather adds a model and all that it leads to.
func gather(all map[reflect.Type]*bunschema.Table, db *bun.DB, t reflect.Type) error {
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return errors.New("it is no struct: give one as (*Model)(nil)")
	}
	if all[t] != nil {
		return nil
	}
	table, err := tableOf(db, t)
	if err != nil {
		return err
	}
	all[t] = table
	for _, rel := range table.Relations {
		if err := gather(all, db, rel.JoinTable.Type); err != nil {
			return err
		}
		if rel.M2MTable == nil {
			continue
		}
		if err := gather(all, db, rel.M2MTable.Type); err != nil {
			return err
		}
	}
	return nil
}

// tableOf is bun's metadata, which panics where a model is wrong.
func tableOf(db *bun.DB, t reflect.Type) (table *bunschema.Table, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return db.Table(t), nil
}

func mapping(t *bunschema.Table) *schema.Mapping {
	m := &schema.Mapping{
		Table: t.Name, Key: names(t.PKs),
		Columns: map[string]schema.Column{}, Relations: map[string]schema.Link{}, Faults: map[string]error{},
	}
	for _, f := range t.Fields {
		way := wayTo(t.Type, f.Index)
		m.Columns[way] = schema.Column{Name: f.Name, Kind: kind(f)}
		if f.Tag.HasOption("msgpack") {
			m.Faults[way] = errors.New("it is stored as msgpack, which browsers do not read: leave it out with pando:\"-\", or send the bytes with pando:\"kind:bytes\"")
		}
	}
	for _, rel := range t.Relations {
		way := wayTo(t.Type, rel.Field.Index)
		m.Relations[way] = link(rel)
		switch {
		case rel.PolymorphicField != nil:
			m.Faults[way] = errors.New("polymorphic: not supported yet: do not include it, or give each kind of owner a column of its own")
		case len(rel.Condition) > 0:
			m.Faults[way] = errors.New("bun's join_on is SQL that only the database understands: do not include it, or write the condition with pando:\"filter:…\" in a struct of its own")
		}
	}
	return m
}

// wayTo is the way to a field, by Go names joined with dots.
func wayTo(t reflect.Type, index []int) string {
	way := make([]string, len(index))
	for i, n := range index {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		f := t.Field(n)
		way[i], t = f.Name, f.Type
	}
	return strings.Join(way, ".")
}

// kind is what bun knows of a column and the Go type may not tell.
func kind(f *bunschema.Field) schema.Kind {
	switch strings.ToLower(f.UserSQLType) {
	case "uuid":
		return schema.UUID
	case "json", "jsonb":
		return schema.JSON
	default:
		return schema.Null
	}
}

func link(rel *bunschema.Relation) schema.Link {
	switch rel.Type {
	case bunschema.BelongsToRelation:
		return schema.Link{Relation: schema.BelongsTo, Columns: pairs(rel.JoinPKs, rel.BasePKs)}
	case bunschema.HasOneRelation:
		return schema.Link{Relation: schema.HasOne, Columns: pairs(rel.BasePKs, rel.JoinPKs)}
	case bunschema.ManyToManyRelation:
		l := schema.Link{
			Relation: schema.HasMany, Columns: pairs(rel.BasePKs, rel.M2MBasePKs),
			Through: rel.M2MTable.Name, Targets: pairs(rel.JoinPKs, rel.M2MJoinPKs),
		}
		if len(rel.M2MTable.PKs) > 0 {
			l.Between = rel.M2MTable.Type
		}
		return l
	default:
		return schema.Link{Relation: schema.HasMany, Columns: pairs(rel.BasePKs, rel.JoinPKs)}
	}
}

// pairs are the columns that hold a key, by the key's.
func pairs(keys, links []*bunschema.Field) map[string]string {
	of := map[string]string{}
	for i, k := range keys {
		of[k.Name] = links[i].Name
	}
	return of
}

func names(fields []*bunschema.Field) []string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.Name
	}
	return all
}
