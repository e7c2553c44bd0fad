package schema

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// tags is what the pando tag of one field says.
type tags struct {
	skip, key, public, asString, hasOne, shared, readOnly, writeOnly bool

	column, userKey string
	// through is the table of a many-to-many relation; link and target are its
	// columns then. Keys of several columns have several links.
	through      string
	link, target []string
	kind         Kind
	order        []orderTag
	filter       []CondSpec
	depth        int

	// compute is the method that makes the value of a column that the table has
	// not, represent the one that makes another of the column's.
	compute, represent string
	// built is count, sum, min or max. Of are the relations that it, or the
	// method, is given.
	built string
	of    []string
}

type orderTag struct {
	column string
	desc   bool
}

// maxDepth bounds the tag depth.
const maxDepth = 32

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
	flags := map[string]*bool{"key": &t.key, "public": &t.public, "string": &t.asString, "hasone": &t.hasOne,
		"shared": &t.shared, "readonly": &t.readOnly, "writeonly": &t.writeOnly}
	if flag := flags[name]; flag != nil {
		if valued {
			return fmt.Errorf("tag %s: it takes no value: write %s", item, name)
		}
		*flag = true
		return nil
	}
	set := t.setter(name)
	if set == nil {
		return fmt.Errorf("tag %s: unknown: use one of -, %s", item, strings.Join(itemNames, ", "))
	}
	if strings.TrimLeft(value, "-") == "" {
		return fmt.Errorf("tag %s: no value: write %s:NAME", item, name)
	}
	if err := set(value); err != nil {
		return fmt.Errorf("tag %s: %w", item, err)
	}
	return nil
}

var itemNames = []string{"column:", "computed:", "count:", "depth:", "filter:", "hasone", "key", "kind:", "link:", "max:", "min:",
	"of:", "order:", "public", "readonly", "represent:", "shared", "string", "sum:", "target:", "through:", "user_key:", "writeonly"}

// setter is what reads the value of an item, nil for an unknown one.
func (t *tags) setter(name string) func(value string) error {
	text := func(into *string) func(string) error {
		return func(value string) error {
			*into = value
			return nil
		}
	}
	columns := func(into *[]string) func(string) error {
		return func(value string) error {
			*into = strings.Split(value, "|")
			return nil
		}
	}
	switch name {
	case "column":
		return text(&t.column)
	case "link":
		return columns(&t.link)
	case "target":
		return columns(&t.target)
	case "through":
		return text(&t.through)
	case "user_key":
		return text(&t.userKey)
	case "computed":
		return text(&t.compute)
	case "represent":
		return text(&t.represent)
	case "count", "sum", "min", "max":
		t.built = name
		return t.addOf
	case "of":
		return t.addOf
	case "order":
		return t.setOrder
	case "filter":
		return t.addFilter
	case "depth":
		return t.setDepth
	case "kind":
		return t.setKind
	default:
		return nil
	}
}

func (t *tags) setOrder(value string) error {
	column, desc := strings.CutPrefix(value, "-")
	t.order = append(t.order, orderTag{column, desc})
	return nil
}

func (t *tags) addOf(value string) error {
	t.of = append(t.of, value)
	return nil
}

func (t *tags) addFilter(value string) error {
	specs, err := parseFilter(value)
	t.filter = append(t.filter, specs...)
	return err
}

func (t *tags) setDepth(value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maxDepth {
		return fmt.Errorf("no depth: write a number from 1 to %d", maxDepth)
	}
	t.depth = n
	return nil
}

func (t *tags) setKind(value string) error {
	k := slices.Index(kindNames[:], value)
	if k <= int(Null) || k == int(Tuple) {
		return fmt.Errorf("unknown kind: use one of %s", strings.Join(kindNames[1:Tuple], ", "))
	}
	t.kind = Kind(k)
	return nil
}

// misplaced names the first item that has no meaning on a relation, or on a
// column.
func (t *tags) misplaced(relation bool) string {
	type placed struct {
		name string
		set  bool
	}
	items := []placed{{"order", len(t.order) > 0}, {"link", t.link != nil}, {"hasone", t.hasOne}, {"through", t.through != ""},
		{"target", t.target != nil}, {"user_key", t.userKey != ""}, {"depth", t.depth > 0}, {"shared", t.shared},
		{"filter", t.filter != nil && t.built == ""}}
	if relation {
		items = []placed{{"column", t.column != ""}, {"key", t.key}, {"kind", t.kind != Null}, {"public", t.public},
			{"string", t.asString}, {"readonly", t.readOnly}, {"writeonly", t.writeOnly}, {"computed", t.compute != ""},
			{"represent", t.represent != ""}, {"of", t.of != nil && t.built == ""}, {t.built, t.built != ""}}
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
	rel          string    // bun: belongs-to, has-one, has-many
	join         string    // bun: base=joined
	foreignKey   string    // gorm: a Go field's name
	table        string    // bun, on the embedded BaseModel
	through      string    // gorm many2many, bun m2m: a table
	joins        [2]string // the names of the links in it, to here and to the target
	otherColumns bool      // gorm references, polymorphic: links that are no keys
	prefixed     bool      // gorm embeddedPrefix, bun embed:prefix
	serializer   string    // gorm: one that makes what no kind tells
	stored       bool      // the column is what a mapping says
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
			if strings.EqualFold(value, "json") {
				t.kind = JSON
			} else {
				t.serializer = value
			}
		case "embedded":
			t.embedded = true
		case "embeddedprefix":
			t.embedded, t.prefixed = true, value != ""
		case "foreignkey":
			t.foreignKey = value
		case "many2many":
			t.through = value
		case "joinforeignkey":
			t.joins[0] = snake(value)
		case "joinreferences":
			t.joins[1] = snake(value)
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
			t.embedded, t.prefixed = true, value != ""
		case "rel":
			t.rel = value
		case "join":
			t.otherColumns = t.otherColumns || t.join != ""
			t.join = value
		case "m2m":
			t.through = value
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
