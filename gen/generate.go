package gen

import (
	"cmp"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// File is one generated file.
type File struct {
	// Name is the file's name without a folder, "board.channels.ts".
	Name string
	Data []byte
}

// Generate makes the files of all apps of the manifest, two for each, sorted
// by name. The same manifest and docs give the same bytes. An error names the
// channel and what TypeScript cannot express.
func Generate(m *schema.Manifest, docs Docs) ([]File, error) {
	apps, err := split(m, docs)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, a := range apps {
		if err := a.gather(); err != nil {
			return nil, err
		}
		channels := a.channelsFile()
		files = append(files,
			File{a.name + ".channels.ts", sealed(channels)},
			File{a.name + ".interfaces.ts", sealed(a.interfacesFile())})
	}
	return files, nil
}

// app is what is generated for one Go package.
type app struct {
	name     string
	docs     Docs
	channels []*schema.Channel
	bindings []*schema.Binding

	// taken are the identifiers of the app's files.
	taken map[string]bool
	// shapes are the interfaces of layers, in order of need.
	shapes []*shape
	// byLayer has the shape of each family's head that was met.
	byLayer map[*schema.Layer]*shape
	// absent are the layers of relations to one row that may have none.
	absent map[*schema.Layer]bool
	// keyed are the types whose key is several columns together, keys the names
	// of their types of key.
	keyed []*schema.Type
	keys  map[*schema.Type]string
	// values are the interfaces and enums of Go types that travel as
	// encoding/json has it, in order of need.
	values []*value
	byType map[reflect.Type]*value
	// within are the lists and maps that are being visited, the outer ones first.
	within []reflect.Type
	// recursive tells that what is being written is a type made of itself.
	recursive bool
	// data are the interfaces of what may be written, in order of need.
	data   []*data
	dataOf map[*schema.Writable]*data
	// rows are the interfaces of bindings.
	rows map[*schema.Binding]row
	// used collects the names that the file being written refers to.
	used map[string]bool
}

// split groups the channels and bindings by package.
func split(m *schema.Manifest, docs Docs) ([]*app, error) {
	byPackage := map[string]*app{}
	byName := map[string]string{}
	var apps []*app
	of := func(pkg string) (*app, error) {
		if a := byPackage[pkg]; a != nil {
			return a, nil
		}
		a := newApp(pkg, docs)
		if other, ok := byName[a.name]; ok {
			return nil, fmt.Errorf("generate: packages %s and %s would both write %s.channels.ts: rename one", other, pkg, a.name)
		}
		byName[a.name], byPackage[pkg] = pkg, a
		apps = append(apps, a)
		return a, nil
	}
	for _, c := range m.Channels {
		a, err := of(c.Package)
		if err != nil {
			return nil, err
		}
		a.channels = append(a.channels, c)
	}
	for _, b := range m.Bindings {
		a, err := of(b.Package)
		if err != nil {
			return nil, err
		}
		a.bindings = append(a.bindings, b)
	}
	slices.SortFunc(apps, func(a, b *app) int { return cmp.Compare(a.name, b.name) })
	for _, a := range apps {
		slices.SortFunc(a.channels, func(c, d *schema.Channel) int { return cmp.Compare(c.Name, d.Name) })
		slices.SortFunc(a.bindings, func(b, c *schema.Binding) int { return cmp.Compare(b.Stream, c.Stream) })
	}
	return apps, nil
}

func newApp(pkg string, docs Docs) *app {
	return &app{
		name: appName(pkg, docs), docs: docs,
		taken: map[string]bool{}, byType: map[reflect.Type]*value{}, used: map[string]bool{},
		byLayer: map[*schema.Layer]*shape{}, absent: map[*schema.Layer]bool{}, keys: map[*schema.Type]string{},
		dataOf: map[*schema.Writable]*data{}, rows: map[*schema.Binding]row{},
	}
}

func appName(pkg string, docs Docs) string {
	if pkg != "main" {
		return path.Base(pkg)
	}
	return cmp.Or(docs.Main, "main")
}

// gather names everything that the app's files declare: classes first, then
// the interfaces of layers, then those of other Go types.
func (a *app) gather() error {
	for _, name := range slices.Concat(reservedTypes, reservedWords) {
		a.taken[name] = true
	}
	for _, c := range a.channels {
		if err := a.claimClass(c); err != nil {
			return err
		}
		if err := checkParams(c); err != nil {
			return err
		}
	}
	for _, c := range a.channels {
		for _, l := range c.Tree.Layers {
			a.absent[l] = mayBeAbsent(c.Tree, l)
		}
		a.shapeOf(c.Tree.Root, "")
	}
	for _, s := range a.shapes {
		if key := s.typ.Fields[s.typ.Key]; key.Kind == schema.Tuple && a.keys[s.typ] == "" {
			a.keyed = append(a.keyed, s.typ)
			a.keys[s.typ] = a.claim(s.typ.Name+"Key", s.typ.Name+"StateKey")
		}
	}
	for _, c := range a.channels {
		if err := a.gatherData(c); err != nil {
			return err
		}
	}
	for _, c := range a.channels {
		if err := a.gatherValues(c); err != nil {
			return err
		}
	}
	for _, b := range a.bindings {
		if err := a.gatherBinding(b); err != nil {
			return err
		}
	}
	return nil
}

// claimClass takes the names of a channel's class and of its types.
func (a *app) claimClass(c *schema.Channel) error {
	if strings.Contains(c.Name, "[") {
		return fmt.Errorf("generate: channel %s: a class has no type arguments: embed it in a struct of its own name, and mount that", c.Name)
	}
	names := []string{c.Name, c.Name + "Types", c.Name + "Actions", c.Name + "Runtime"}
	if len(c.Writable) > 0 {
		names = append(names, c.Name+"Writes")
	}
	for _, name := range names {
		if a.taken[name] {
			return fmt.Errorf("generate: channel %s: the name %s is taken in its file: rename the channel, or mount it once", c.Name, name)
		}
		a.taken[name] = true
	}
	return nil
}

// shownLayers are the layers whose rows a client sees: no places, and none from
// which values are computed.
func shownLayers(t *schema.Tree) []*schema.Layer {
	var layers []*schema.Layer
	for _, l := range t.Layers {
		if !l.Hidden && l.Through == nil {
			layers = append(layers, l)
		}
	}
	return layers
}

// gatherValues visits every Go type of the channel that travels as JSON.
func (a *app) gatherValues(c *schema.Channel) error {
	for _, l := range shownLayers(c.Tree) {
		for _, f := range l.Type.Fields {
			if f.Hidden {
				continue
			}
			if t, ok := stateType(f); ok {
				if err := a.visit(t, false); err != nil {
					return fmt.Errorf("generate: %s.%s: %w", l.Type.Name, f.GoName, err)
				}
			}
		}
	}
	for _, m := range membersOf(c.Runtime) {
		if err := a.visit(m.goType, true); err != nil {
			return fmt.Errorf("generate: channel %s: runtime state %s: %w", c.Name, c.Runtime.FieldByIndex(m.index).Name, err)
		}
	}
	for _, action := range c.Actions {
		for i, t := range action.Args {
			if err := a.visit(t, false); err != nil {
				return fmt.Errorf("generate: channel %s: %s: argument %d: %w", c.Name, action.Method, i+1, err)
			}
		}
		if action.Result == nil {
			continue
		}
		if err := a.visit(action.Result, true); err != nil {
			return fmt.Errorf("generate: channel %s: %s: result: %w", c.Name, action.Method, err)
		}
	}
	return nil
}
