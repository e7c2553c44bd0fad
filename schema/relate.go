package schema

import "strings"

// edge is how a relation's rows are found, before columns have indexes.
type edge struct {
	relation Relation
	// links are columns of the parent's table for BelongsTo, else the child's:
	// one for each column of the key that they hold.
	links []string
}

// relate decides a relation and its link: by the pando tag first, then bun's
// and gorm's, then by the names of fields.
func relate(f *fieldDecl, child *decl) (edge, error) {
	switch parent := f.owner; {
	case f.tags.hasOne && f.many:
		return edge{}, f.fault("tag hasone: a slice is has-many: leave it out")
	case f.tags.link != nil || f.tags.hasOne:
		e := edge{backward(f), f.tags.link}
		if !f.many && !f.tags.hasOne {
			e.relation = BelongsTo
		}
		if e.links == nil {
			e.links = backLinks(parent, child)
		}
		return e, nil
	case f.refused != nil:
		return edge{}, f.fault("%w", f.refused)
	case f.mapped != nil:
		return relateMapped(f, child)
	case f.orm.otherColumns:
		return edge{}, f.fault("a relation by other columns than the key: not supported yet: do not include it, or name the columns that hold the key with pando:\"link:COLUMN\"")
	case f.orm.join != "":
		return relateJoin(f, child)
	case f.orm.rel == "has-one":
		return edge{HasOne, backLinks(parent, child)}, nil
	case f.orm.foreignKey != "":
		return relateForeignKey(f, child)
	case f.many:
		return edge{HasMany, backLinks(parent, child)}, nil
	case parent.orm && f.orm.rel == "" && forwardField(f) == nil && child.field(parent.name+"ID") != nil:
		// gorm's has-one is told from belongs-to by the struct with the link.
		return edge{HasOne, backLinks(parent, child)}, nil
	case forwardField(f) != nil && len(child.keys) == 1:
		return edge{BelongsTo, []string{forwardField(f).column}}, nil
	default:
		return edge{BelongsTo, linksTo(child, snake(f.goName))}, nil
	}
}

// linksTo are the columns that hold the struct's key by their names.
func linksTo(d *decl, prefix string) []string {
	if len(d.keys) == 1 {
		return []string{prefix + "_id"}
	}
	var links []string
	for _, k := range d.keys {
		links = append(links, prefix+"_"+k.column)
	}
	return links
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

// backLinks are the child's columns that hold the parent's key by their names.
func backLinks(parent, child *decl) []string {
	if link := child.field(parent.name + "ID"); link != nil && link.target == nil && len(parent.keys) == 1 {
		return []string{link.column}
	}
	return linksTo(parent, parent.linkPrefix())
}

// linkPrefix is what the links to the struct begin with.
func (d *decl) linkPrefix() string {
	if d.ownTable && !d.orm {
		return singular(d.table)
	}
	return snake(d.name)
}

// relateJoin reads bun's join:base=joined.
func relateJoin(f *fieldDecl, child *decl) (edge, error) {
	base, joined, _ := strings.Cut(f.orm.join, "=")
	switch {
	case joined == child.keyName() && !f.many:
		return edge{BelongsTo, []string{base}}, nil
	case base == f.owner.keyName():
		return edge{backward(f), []string{joined}}, nil
	default:
		return edge{}, f.fault("bun join %q: neither side is the other's key: not supported yet: do not include it", f.orm.join)
	}
}

// relateForeignKey reads gorm's foreignKey:GoField.
func relateForeignKey(f *fieldDecl, child *decl) (edge, error) {
	if link := f.owner.field(f.orm.foreignKey); link != nil && !f.many {
		return edge{BelongsTo, []string{link.column}}, nil
	}
	if link := child.field(f.orm.foreignKey); link != nil {
		return edge{backward(f), []string{link.column}}, nil
	}
	return edge{}, f.fault("gorm foreignKey %q: neither %s nor %s has this field: mend the name", f.orm.foreignKey, f.owner.name, child.name)
}
