package pandogorm

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"gorm.io/gorm"
	gormschema "gorm.io/gorm/schema"

	"github.com/pando-sync/pando/schema"
)

// Models reads how db stores its models, for pando.Config: the ones given, which
// are those of AutoMigrate, and those that they have relations to. Other structs
// are read by their tags. Give it all join tables by SetupJoinTable before.
//
// What GORM cannot parse is told by App.Setup, as wrong declarations are.
func Models(db *gorm.DB, models ...any) schema.Mapper {
	parsed := sync.OnceValues(func() (map[reflect.Type]*gormschema.Schema, error) {
		all := map[reflect.Type]*gormschema.Schema{}
		for _, model := range models {
			stmt := &gorm.Statement{DB: db}
			if err := stmt.Parse(model); err != nil {
				return nil, fmt.Errorf("parse model %T: %w", model, err)
			}
			gather(all, stmt.Schema)
		}
		return all, nil
	})
	return func(t reflect.Type) (*schema.Mapping, error) {
		all, err := parsed()
		if err != nil || all[t] == nil {
			return nil, err
		}
		return mapping(all[t]), nil
	}
}

// gather adds a model and all that it leads to.
func gather(all map[reflect.Type]*gormschema.Schema, s *gormschema.Schema) {
	if s == nil || all[s.ModelType] != nil {
		return
	}
	all[s.ModelType] = s
	for _, rel := range relations(s) {
		gather(all, rel.FieldSchema)
		if rel.JoinTable != nil && rel.JoinTable.ModelType.Name() != "" {
			gather(all, rel.JoinTable)
		}
	}
}

// relations are the model's own, without those that GORM notes of others' to it.
func relations(s *gormschema.Schema) map[string]*gormschema.Relationship {
	s.Relationships.Mux.RLock()
	defer s.Relationships.Mux.RUnlock()
	own := map[string]*gormschema.Relationship{}
	for name, rel := range s.Relationships.Relations {
		if !strings.HasPrefix(name, "_") {
			own[rel.Field.BindName()] = rel
		}
	}
	return own
}

func mapping(s *gormschema.Schema) *schema.Mapping {
	m := &schema.Mapping{
		Table: s.Table, Key: s.PrimaryFieldDBNames,
		Columns: map[string]schema.Column{}, Relations: map[string]schema.Link{}, Faults: map[string]error{},
	}
	for _, f := range s.Fields {
		if f.DBName == "" || !f.Readable {
			continue
		}
		m.Columns[f.BindName()] = schema.Column{Name: f.DBName, Kind: kind(f)}
		if f.Serializer != nil && !isJSON(f) {
			m.Faults[f.BindName()] = fmt.Errorf("its serializer %T makes of it what only GORM reads: name what the column holds with pando:\"kind:…\", or leave it out with pando:\"-\"", f.Serializer)
		}
	}
	for way, rel := range relations(s) {
		m.Relations[way] = link(rel)
		if rel.Polymorphic != nil {
			m.Faults[way] = fmt.Errorf("polymorphic: not supported yet: do not include it, or give each kind of owner a column of its own")
		}
	}
	return m
}

func isJSON(f *gormschema.Field) bool {
	_, ok := f.Serializer.(gormschema.JSONSerializer)
	return ok
}

// kind is what GORM knows of a column and the Go type may not tell.
func kind(f *gormschema.Field) schema.Kind {
	if isJSON(f) {
		return schema.JSON
	}
	switch strings.ToLower(string(f.DataType)) {
	case "uuid":
		return schema.UUID
	case "json", "jsonb":
		return schema.JSON
	default:
		return schema.Null
	}
}

func link(rel *gormschema.Relationship) schema.Link {
	l := schema.Link{Columns: map[string]string{}}
	switch rel.Type {
	case gormschema.BelongsTo:
		l.Relation = schema.BelongsTo
	case gormschema.HasOne:
		l.Relation = schema.HasOne
	default:
		l.Relation = schema.HasMany
	}
	if rel.JoinTable != nil {
		l.Through, l.Targets = rel.JoinTable.Table, map[string]string{}
		if rel.JoinTable.ModelType.Name() != "" {
			l.Between = rel.JoinTable.ModelType
		}
	}
	for _, ref := range rel.References {
		switch {
		case ref.PrimaryKey == nil: // the name of a polymorphic owner
		case rel.JoinTable != nil && !ref.OwnPrimaryKey:
			l.Targets[ref.PrimaryKey.DBName] = ref.ForeignKey.DBName
		default:
			l.Columns[ref.PrimaryKey.DBName] = ref.ForeignKey.DBName
		}
	}
	return l
}
