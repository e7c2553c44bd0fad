package schema

import "strings"

// edge is how a relation's rows are found, before columns have indexes.
type edge struct {
	relation Relation
	// link is a column of the parent's table for BelongsTo, else the child's.
	link string
}

// relate decides a relation and its link: by the pando tag first, then bun's
// and gorm's, then by the names of fields.
func relate(f *fieldDecl, child *decl) (edge, error) {
	switch parent := f.owner; {
	case f.orm.manyToMany:
		return edge{}, f.fault("many-to-many: not supported yet: do not include it")
	case f.orm.otherColumns:
		return edge{}, f.fault("a relation by other columns than the key: not supported yet: do not include it")
	case f.tags.hasOne && f.many:
		return edge{}, f.fault("tag hasone: a slice is has-many: leave it out")
	case f.tags.link != "" || f.tags.hasOne:
		e := edge{backward(f), f.tags.link}
		if !f.many && !f.tags.hasOne {
			e.relation = BelongsTo
		}
		if e.link == "" {
			e.link = backLink(parent, child)
		}
		return e, nil
	case f.orm.join != "":
		return relateJoin(f, child)
	case f.orm.rel == "has-one":
		return edge{HasOne, backLink(parent, child)}, nil
	case f.orm.foreignKey != "":
		return relateForeignKey(f, child)
	case f.many:
		return edge{HasMany, backLink(parent, child)}, nil
	case parent.orm && f.orm.rel == "" && forwardField(f) == nil && child.field(parent.name+"ID") != nil:
		// gorm's has-one is told from belongs-to by the struct with the link.
		return edge{HasOne, backLink(parent, child)}, nil
	case forwardField(f) != nil:
		return edge{BelongsTo, forwardField(f).column}, nil
	default:
		return edge{BelongsTo, snake(f.goName) + "_id"}, nil
	}
}

// backward is the relation of a link in the child's table.
func backward(f *fieldDecl) Relation {
	if f.many {
		return HasMany
	}
	return HasOne
}

// forwardField is the parent's field that holds the link by its name.
func forwardField(f *fieldDecl) *fieldDecl {
	if link := f.owner.field(f.goName + "ID"); link != nil && link.target == nil {
		return link
	}
	return nil
}

// backLink is the child's column that holds the parent's key by its name.
func backLink(parent, child *decl) string {
	if link := child.field(parent.name + "ID"); link != nil && link.target == nil {
		return link.column
	}
	if parent.ownTable && !parent.orm {
		return singular(parent.table) + "_id"
	}
	return snake(parent.name) + "_id"
}

// relateJoin reads bun's join:base=joined.
func relateJoin(f *fieldDecl, child *decl) (edge, error) {
	base, joined, _ := strings.Cut(f.orm.join, "=")
	switch {
	case joined == child.key.column && !f.many:
		return edge{BelongsTo, base}, nil
	case base == f.owner.key.column:
		return edge{backward(f), joined}, nil
	default:
		return edge{}, f.fault("bun join %q: neither side is the other's key: not supported yet: do not include it", f.orm.join)
	}
}

// relateForeignKey reads gorm's foreignKey:GoField.
func relateForeignKey(f *fieldDecl, child *decl) (edge, error) {
	if link := f.owner.field(f.orm.foreignKey); link != nil && !f.many {
		return edge{BelongsTo, link.column}, nil
	}
	if link := child.field(f.orm.foreignKey); link != nil {
		return edge{backward(f), link.column}, nil
	}
	return edge{}, f.fault("gorm foreignKey %q: neither %s nor %s has this field: mend the name", f.orm.foreignKey, f.owner.name, child.name)
}
