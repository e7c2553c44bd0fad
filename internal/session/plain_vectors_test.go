package session_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/internal/session"
)

// TestPlainVectors plays spec/vectors/plain: see the README there.
func TestPlainVectors(t *testing.T) {
	files, err := filepath.Glob("../../spec/vectors/plain/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { playPlain(t, file) })
	}
}

type plainVector struct {
	Consumers map[string]string `json:"consumers"`
	Steps     []struct {
		Note   string `json:"note"`
		In     string `json:"in"`
		Binary string `json:"binary"`
		Out    []any  `json:"out"`
	} `json:"steps"`
}

func playPlain(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var vector plainVector
	if err := json.Unmarshal(text, &vector); err != nil {
		t.Fatal(err)
	}
	v := &venue{streams: map[string]handler{"fence": echo}}
	for name, kind := range vector.Consumers {
		v.streams[name] = map[string]handler{"echo": echo, "refuse": refuse}[kind]
	}
	s := plain(t, v.open(t, session.Config{}))
	for i, step := range vector.Steps {
		if step.Binary != "" {
			bytes, err := hex.DecodeString(step.Binary)
			if err != nil {
				t.Fatal(err)
			}
			s.Send(ws.OpBinary, string(bytes))
		} else {
			s.Send(ws.OpText, step.In)
		}
		for _, want := range step.Out {
			var got any
			if err := json.Unmarshal([]byte(s.Read()), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, among(want, got)); diff != "" {
				t.Errorf("step %d, %s: -want +got\n%s", i, step.Note, diff)
			}
		}
		s.Sendf(`{"stream":"fence","payload":{}}`)
		if got := s.Read(); got != `{"stream":"fence","payload":{}}` {
			t.Fatalf("step %d, %s: got %s, too", i, step.Note, got)
		}
	}
}

// among is got without the members of payloads that want does not name.
func among(want, got any) any {
	w, ok := want.(map[string]any)
	g, isObject := got.(map[string]any)
	if !ok || !isObject {
		return got
	}
	wanted, ok := w["payload"].(map[string]any)
	payload, isObject := g["payload"].(map[string]any)
	if !ok || !isObject {
		return got
	}
	for name := range payload {
		if _, named := wanted[name]; !named {
			delete(payload, name)
		}
	}
	return got
}
