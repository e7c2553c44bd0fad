package schema

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// tags is what the pando tag of one field says.
type tags struct {
	skip, key, public, asString, hasOne bool
	column, link                        string
	kind                                Kind
	order                               []orderTag
}

type orderTag struct {
	column string
	desc   bool
}

// reserved are items of the settled grammar that have no effect yet; they are
// refused, because ignoring a filter would show rows that it hides.
var reserved = []string{"depth", "filter", "readonly", "through", "user_key", "writeonly"}

func parseTags(tag string) (tags, error) {
	var t tags
	if tag == "-" {
		t.skip = true
		return t, nil
	}
	for item := range strings.SplitSeq(tag, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		if err := t.item(item); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *tags) item(item string) error {
	name, value, valued := strings.Cut(item, ":")
	if slices.Contains(reserved, name) {
		return fmt.Errorf("tag %s: not supported yet: leave it out", name)
	}
	flags := map[string]*bool{"key": &t.key, "public": &t.public, "string": &t.asString, "hasone": &t.hasOne}
	if flag := flags[name]; flag != nil {
		if valued {
			return fmt.Errorf("tag %s: it takes no value: write %s", item, name)
		}
		*flag = true
		return nil
	}
	switch name {
	case "column", "link", "order", "kind":
		if strings.TrimLeft(value, "-") == "" {
			return fmt.Errorf("tag %s: no value: write %s:NAME", item, name)
		}
	}
	switch name {
	case "column":
		t.column = value
	case "link":
		t.link = value
	case "order":
		column, desc := strings.CutPrefix(value, "-")
		t.order = append(t.order, orderTag{column, desc})
	case "kind":
		k := slices.Index(kindNames[:], value)
		if k <= int(Null) || k == int(Tuple) {
			return fmt.Errorf("tag %s: unknown kind: use one of %s", item, strings.Join(kindNames[1:Tuple], ", "))
		}
		t.kind = Kind(k)
	default:
		return fmt.Errorf("tag %s: unknown: use one of -, column:, key, kind:, public, string, link:, order: or hasone", item)
	}
	return nil
}

// misplaced names the first item that has no meaning on a relation, or on a
// column.
func (t *tags) misplaced(relation bool) string {
	items := []struct {
		name string
		set  bool
	}{{"order", len(t.order) > 0}, {"link", t.link != ""}, {"hasone", t.hasOne}}
	if relation {
		items = []struct {
			name string
			set  bool
		}{{"column", t.column != ""}, {"key", t.key}, {"kind", t.kind != Null}, {"public", t.public}, {"string", t.asString}}
	}
	for _, item := range items {
		if item.set {
			return item.name
		}
	}
	return ""
}

// ormTags is what the gorm and bun tags of one field say, as far as they
// concern reading.
type ormTags struct {
	present      bool
	skip         bool // no column
	key          bool
	column       string
	kind         Kind // from type: or serializer:
	softDelete   bool
	embedded     bool
	rel          string // bun: belongs-to, has-one, has-many
	join         string // bun: base=joined
	foreignKey   string // gorm: a Go field's name
	table        string // bun, on the embedded BaseModel
	manyToMany   bool
	otherColumns bool // gorm references, polymorphic: links that are no keys
}

func parseORM(f reflect.StructField) ormTags {
	var t ormTags
	if tag, ok := f.Tag.Lookup("gorm"); ok {
		t.present = true
		t.gorm(tag)
	}
	if tag, ok := f.Tag.Lookup("bun"); ok {
		t.present = true
		t.bun(tag)
	}
	return t
}

func (t *ormTags) gorm(tag string) {
	for item := range strings.SplitSeq(tag, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), ":")
		switch strings.ToLower(name) {
		case "-":
			t.skip = value != "migration"
		case "column":
			t.column = value
		case "primarykey", "primary_key":
			t.key = true
		case "type":
			t.kind = kindOfSQL(value)
		case "serializer":
			if value == "json" {
				t.kind = JSON
			}
		case "embedded", "embeddedprefix":
			t.embedded = true
		case "foreignkey":
			t.foreignKey = value
		case "many2many":
			t.manyToMany = true
		case "references", "polymorphic", "polymorphictype", "polymorphicid":
			t.otherColumns = true
		}
	}
}

func (t *ormTags) bun(tag string) {
	for i, item := range strings.Split(tag, ",") {
		name, value, valued := strings.Cut(strings.TrimSpace(item), ":")
		if i == 0 && !valued {
			t.skip = t.skip || name == "-"
			t.column = name
			continue
		}
		switch name {
		case "pk":
			t.key = true
		case "scanonly":
			t.skip = true
		case "soft_delete":
			t.softDelete = true
		case "type":
			t.kind = kindOfSQL(value)
		case "embed":
			t.embedded = true
		case "rel":
			t.rel = value
		case "join":
			t.otherColumns = t.otherColumns || t.join != ""
			t.join = value
		case "m2m":
			t.manyToMany = true
		case "polymorphic":
			t.otherColumns = true
		case "table":
			t.table = value
		}
	}
}

// kindOfSQL recognises the SQL types that a Go string or []byte may stand for.
func kindOfSQL(name string) Kind {
	switch strings.ToLower(name) {
	case "uuid":
		return UUID
	case "json", "jsonb":
		return JSON
	default:
		return Null
	}
}
