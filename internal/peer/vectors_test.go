package peer_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/internal/peer"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
)

// vector is a file of spec/vectors/state; its README has the form.
type vector struct {
	Name   string
	Anchor json.RawMessage
	Model  model
	Hello  struct{ Types []wire.Type }
	Steps  []struct {
		Note   string
		Frame  json.RawMessage
		Frames []json.RawMessage
		State  json.RawMessage
	}
}

// model is the state model, as spec/protocol.md has it.
type model struct {
	Root  int
	Types map[string]struct {
		Key    string
		Fields map[string]string
	}
	Layers []struct {
		Type, Relation, Link string
		Order                []string
		Through              int
		Members              []json.RawMessage
	}
}

// TestStateVectors runs the examples that the TypeScript client runs too.
func TestStateVectors(t *testing.T) {
	files, err := filepath.Glob("../../spec/vectors/state/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no vectors", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v vector
			if err := json.Unmarshal(text, &v); err != nil {
				t.Fatal(err)
			}
			v.run(t)
		})
	}
}

// run plays the frames over a connection to a stream.
func (v *vector) run(t *testing.T) {
	tree := v.tree(t)
	route := "vectors"
	if tree.Root.Relation != schema.List {
		var key any
		if err := json.Unmarshal(v.Anchor, &key); err != nil {
			t.Fatal(err)
		}
		route += "/" + url.PathEscape(fmt.Sprint(key))
	}
	p := servePlayer(t, v.Hello.Types, strings.TrimPrefix(tree.Root.Type.Name, "@"))
	conn := p.dial()
	st := peer.NewStream("s1", route, tree, peer.Events{})
	if err := p.start(conn, st); err != nil {
		t.Fatal(err)
	}
	for i, step := range v.Steps {
		p.play(conn, step.Frame, step.Frames)
		if err := conn.Err(); err != nil {
			t.Fatalf("step %d (%s): %v", i, step.Note, err)
		}
		if _, ended := st.News(); ended != nil {
			t.Fatalf("step %d (%s): %v", i, step.Note, ended)
		}
		if step.State == nil {
			if st.Complete() && !p.loading {
				t.Errorf("step %d (%s): the tree is complete", i, step.Note)
			}
			continue
		}
		if diff := cmp.Diff(decoded(t, step.State), decoded(t, st.JSON())); diff != "" {
			t.Errorf("step %d (%s): want -, got +\n%s", i, step.Note, diff)
		}
	}
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// tree makes the schema that the vector's model describes.
func (v *vector) tree(t *testing.T) *schema.Tree {
	t.Helper()
	types := map[string]*schema.Type{}
	for id, name := range slices.Sorted(maps.Keys(v.Model.Types)) {
		types[name] = v.typeOf(t, id, name)
	}
	tree := &schema.Tree{}
	for i := range v.Model.Layers {
		tree.Layers = append(tree.Layers, &schema.Layer{Index: i, Type: types[v.Model.Layers[i].Type]})
	}
	for i, m := range v.Model.Layers {
		if m.Through > 0 {
			l := tree.Layers[i]
			l.Through = tree.Layers[m.Through]
			l.Through.Parent = l
		}
	}
	tree.Root = tree.Layers[v.Model.Root]
	for i := range v.Model.Layers {
		v.members(t, tree, i)
	}
	for i, l := range tree.Layers {
		v.relate(t, l, i)
	}
	return tree
}

func (v *vector) typeOf(t *testing.T, id int, name string) *schema.Type {
	t.Helper()
	typ := &schema.Type{ID: id, Name: name, Table: &schema.Table{ID: id, Name: name}}
	fields := v.Model.Types[name].Fields
	for i, field := range slices.Sorted(maps.Keys(fields)) {
		kind, parts := kindNamed(t, fields[field])
		typ.Table.Columns = append(typ.Table.Columns, schema.Column{Name: field, Kind: kind})
		typ.Fields = append(typ.Fields, schema.Field{Name: field, Column: i, Kind: kind, Parts: parts, AsString: v.isText(name, field)})
		if field == v.Model.Types[name].Key {
			typ.Key, typ.Table.Key = i, i
		}
	}
	return typ
}

// isText tells whether a field's values travel as strings, as its frames have
// it: the model does not say it of integers.
func (v *vector) isText(name, field string) bool {
	id := slices.IndexFunc(v.Hello.Types, func(t wire.Type) bool { return t.Name == name })
	if id < 0 {
		return false
	}
	at := slices.Index(v.Hello.Types[id].Fields, field)
	for _, step := range v.Steps {
		for _, payload := range append(slices.Clone(step.Frames), step.Frame) {
			var f wire.StateFrame
			if payload == nil || json.Unmarshal(payload, &f) != nil {
				continue
			}
			for _, set := range f.Set {
				var of int
				var values []any
				if json.Unmarshal(set[0], &of) != nil || json.Unmarshal(set[1], &values) != nil || of != id || at < 0 || at >= len(values) {
					continue
				}
				if _, text := values[at].(string); text {
					return true
				}
			}
		}
	}
	return false
}

// kindNamed reads the name of a kind, and of a tuple's parts.
func kindNamed(t *testing.T, name string) (kind schema.Kind, parts []schema.Kind) {
	t.Helper()
	if names, found := strings.CutPrefix(strings.TrimSuffix(name, ")"), "tuple("); found {
		for part := range strings.SplitSeq(names, ",") {
			kind, _ = kindNamed(t, part)
			parts = append(parts, kind)
		}
		return schema.Tuple, parts
	}
	for k := schema.Bool; k <= schema.JSON; k++ {
		if k.String() == name {
			return k, nil
		}
	}
	t.Fatalf("no kind %q", name)
	return schema.Null, nil
}

func (v *vector) members(t *testing.T, tree *schema.Tree, i int) {
	t.Helper()
	l := tree.Layers[i]
	for _, raw := range v.Model.Layers[i].Members {
		var relation struct {
			Name  string
			Layer int
		}
		if json.Unmarshal(raw, &relation) == nil {
			child := tree.Layers[relation.Layer]
			child.Name, child.Parent = relation.Name, l
			l.Children = append(l.Children, child)
			l.Members = append(l.Members, schema.Member{Field: -1, Layer: child})
			continue
		}
		var name string
		if err := json.Unmarshal(raw, &name); err != nil {
			t.Fatal(err)
		}
		l.Members = append(l.Members, schema.Member{Field: columnOf(t, l.Type, name)})
	}
}

func (v *vector) relate(t *testing.T, l *schema.Layer, i int) {
	t.Helper()
	m := &v.Model.Layers[i]
	relations := map[string]schema.Relation{"belongsTo": schema.BelongsTo, "hasMany": schema.HasMany, "hasOne": schema.HasOne, "list": schema.List}
	l.Relation = relations[m.Relation]
	holder := l.Type
	if l.Relation == schema.BelongsTo {
		holder = l.Parent.Type
	}
	if m.Link != "" {
		l.Link = columnOf(t, holder, m.Link)
	}
	for _, order := range m.Order {
		name, desc := strings.CutPrefix(order, "-")
		l.Order = append(l.Order, schema.Order{Column: columnOf(t, l.Type, name), Desc: desc})
	}
}

// columnOf is the index of a field, which is that of its column here.
func columnOf(t *testing.T, typ *schema.Type, name string) int {
	t.Helper()
	i := slices.IndexFunc(typ.Fields, func(f schema.Field) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("type %s has no field %s", typ.Name, name)
	}
	return i
}
