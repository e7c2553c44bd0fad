package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/world"
)

// String is the script as a user reads it: the tables, the trees, and what
// happens.
func (s *script) String() string {
	var b strings.Builder
	for _, st := range world.Create(s.Schema) {
		fmt.Fprintf(&b, "%s;\n", st.SQL)
	}
	for _, st := range s.First.Statements {
		fmt.Fprintf(&b, "%s;\n", st.SQL)
	}
	fmt.Fprintf(&b, "-- foreign keys %v, recursive triggers %v, slow feed %v, slow read %v, crashes %v, two servers %v, log %d bytes, keep %d, linger %v\n",
		s.Schema.ForeignKeys, s.Schema.Recursive, s.Plan.SlowFeed, s.Plan.SlowRead, s.Plan.Crashes, s.Twin, s.LogBytes, s.Keep, s.Linger)
	for i, c := range s.Schema.Channels {
		fmt.Fprintf(&b, "channel c%d: list %v, limit %d, tenant %q\n", i, c.List, c.Limit, c.Tenant)
		printLayer(&b, c.Root, 1)
		for _, w := range c.Writable {
			fmt.Fprintf(&b, "  writable %+v\n", *w)
		}
	}
	for i, g := range s.Segments {
		fmt.Fprintf(&b, "segment %d\n", i)
		for _, e := range g.Events {
			fmt.Fprintf(&b, "  %s %s by writer %d, waits %v\n", e.Do, e.Table, e.Writer, e.Wait)
			for _, tx := range e.Txs {
				fmt.Fprintf(&b, "    %s, rolled back %v\n", tx.Kind, tx.Rollback)
				for _, st := range tx.Statements {
					fmt.Fprintf(&b, "      %s;\n", st.SQL)
				}
			}
		}
		for k, steps := range g.Steps {
			for _, st := range steps {
				fmt.Fprintf(&b, "  client %d of user %q: after %d transactions %s %s%s\n", k, s.Clients[k], st.Wait, st.Do, s.paths(st), st.broken())
			}
		}
	}
	return b.String()
}

// broken says where a call's connection breaks.
func (s step) broken() string {
	if s.Cut == cutNever {
		return ""
	}
	return ", cut " + string(s.Cut)
}

func (s *script) paths(st step) string {
	paths := make([]string, len(st.Routes))
	for i, r := range st.Routes {
		paths[i] = world.Path(s.Routes[r%len(s.Routes)])
	}
	return strings.Join(paths, " ")
}

func printLayer(b *strings.Builder, l *model.Layer, depth int) {
	text, err := json.Marshal(&model.Layer{
		Name: l.Name, Table: l.Table, Relation: l.Relation, Link: l.Link, Through: l.Through, Order: l.Order, Where: l.Where,
		UserKey: l.UserKey, Fields: l.Fields, Computed: l.Computed, Shared: l.Shared, Struct: l.Struct, Depth: l.Depth,
	})
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(b, "%s%s\n", strings.Repeat("  ", depth), text)
	for _, child := range l.Layers {
		printLayer(b, child, depth+1)
	}
}

// save writes the script to a file, by which it can be played again.
func (s *script) save() (path string, err error) {
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return "", err
	}
	path = filepath.Join(os.TempDir(), fmt.Sprintf("pando-sim-%d.json", s.Seed))
	return path, os.WriteFile(path, text, 0o600)
}

// loadScript reads what save has written.
func loadScript(path string) (*script, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("read a script: %w", err)
	}
	s := new(script)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read a script: %w", err)
	}
	return s, nil
}
