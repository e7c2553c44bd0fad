package gen_test

import (
	"context"
	"testing"

	"github.com/pando-sync/pando/gen"
	"github.com/pando-sync/pando/gen/testdata/streams"
	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

// bind adds bindings, as an app that routes them does.
func (m manifest) bind(consumers ...interface{ Spec() *bind.Spec }) {
	m.t.Helper()
	for _, c := range consumers {
		model, err := bind.Compile(m.Registry, c.Spec())
		if err != nil {
			m.t.Fatal(err)
		}
		m.Bindings = append(m.Bindings, model.Binding())
	}
}

func groups[T any](*T) []string { return []string{"all"} }

func anything[T any](context.Context, token.Identity, mux.Op, *T, *T) (bool, error) { return true, nil }

func streamsManifest(t *testing.T) *schema.Manifest {
	m := newManifest(t)
	m.add(streams.MessageChannel{}, streams.Message{}, schema.Channel{Route: "messages/{id}"}, "id")
	m.bind(
		&mux.Binding[streams.Message]{
			Stream: "message-stream", Fields: []string{mux.AllFields}, OrderBy: []string{"-created_at", "text"},
			GroupNames: groups[streams.Message], HasPermission: anything[streams.Message],
		},
		&mux.Binding[streams.User]{Stream: "users", Fields: []string{"name"}, OrderBy: []string{"login"}, GroupNames: groups[streams.User]},
		&mux.Binding[streams.Room]{
			Stream: "rooms", Fields: []string{"name"}, GroupNames: groups[streams.Room], HasPermission: anything[streams.Room],
			Serialize: func(*streams.Room) (any, error) { return "anything", nil },
		},
		&mux.Binding[streams.Hall]{
			Stream: "halls", Fields: []string{mux.AllFields}, GroupNames: groups[streams.Hall], HasPermission: anything[streams.Hall],
		},
	)
	return m.seal()
}

// TestBindingsWithoutChannels shows that a package of bindings alone has its files.
func TestBindingsWithoutChannels(t *testing.T) {
	m := newManifest(t)
	m.bind(&mux.Binding[streams.User]{Stream: "users", Fields: []string{mux.AllFields}, GroupNames: groups[streams.User]})
	files, err := gen.Generate(m.seal(), gen.Docs{})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, string(files[0].Data), "import type { Binding } from '@pando-sync/client'\n", "export const streams = streamsOf({ users: {} })\n",
		"    users: Binding<User, never, string>\n")
	wants(t, string(files[1].Data), "export interface User {\n  readonly name: string\n}\n")
}
