package manage

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pando-sync/pando/schema"
)

type note struct {
	ID   int64
	Body string
}

type noteChannel struct{}

// benchWithChannel has one channel to generate for, and the folder for it.
func benchWithChannel(t *testing.T) (b *bench, dir, channels string) {
	t.Helper()
	b = newBench(t)
	tree, err := b.app.manifest.Registry.Tree(reflect.TypeFor[note]())
	if err != nil {
		t.Fatal(err)
	}
	channel := &schema.Channel{
		Name: "NoteChannel", Package: reflect.TypeFor[noteChannel]().PkgPath(), Route: "notes/{id}",
		Params: []schema.Param{{Name: "id", Kind: schema.Int, Link: tree.Root.Type}}, Tree: tree,
		Runtime: reflect.TypeFor[struct{}](),
	}
	channel.Hash = channel.ComputeHash()
	b.app.manifest.Channels = []*schema.Channel{channel}
	dir = filepath.Join(t.TempDir(), "src", "pando")
	b.change = func(p *Project) { p.Frontend = dir }
	return b, dir, filepath.Join(dir, "manage.channels.ts")
}

func (b *bench) wantOutcome(got outcome, code int, parts ...string) {
	b.t.Helper()
	for _, part := range parts {
		if !strings.Contains(got.out+got.errOut, part) {
			b.t.Errorf("%q is not in\n%s%s", part, got.out, got.errOut)
		}
	}
	if got.code != code {
		b.t.Errorf("the code is %d, want %d", got.code, code)
	}
}

func TestMakefrontend(t *testing.T) {
	b, dir, channels := benchWithChannel(t)
	b.wantOutcome(b.run("", "makefrontend"), 0, "+export class NoteChannel", dir+" is up to date now\n")
	generated, err := os.ReadFile(channels)
	if err != nil || !strings.Contains(string(generated), "export class NoteChannel") {
		t.Errorf("%s, %v", generated, err)
	}
	if got := b.run("", "makefrontend"); got != (outcome{out: dir + " is up to date\n"}) {
		t.Errorf("the second time: %+v", got)
	}
	if got := b.run("", "makefrontend", "--check", "--quiet"); got != (outcome{}) {
		t.Errorf("--check: %+v", got)
	}
	b.wantSteps("close", "close", "close") // nothing was migrated
}

func TestMakefrontendLooksWithoutWriting(t *testing.T) {
	b, dir, _ := benchWithChannel(t)
	b.wantOutcome(b.run("", "makefrontend", "--check"), 1, "+export class NoteChannel",
		"board: the files in "+dir+" are out of date: run makefrontend\n")
	b.wantOutcome(b.run("", "makefrontend", "--dry-run"), 0, "+export class NoteChannel")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s was written: %v", dir, err)
	}
}

func TestMakefrontendWritesElsewhere(t *testing.T) {
	b, dir, _ := benchWithChannel(t)
	other := t.TempDir()
	if got := b.run("", "makefrontend", "--out", other, "--quiet"); got != (outcome{}) {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(filepath.Join(other, "manage.channels.ts")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s was written: %v", dir, err)
	}
}

func TestMakefrontendSparesWhatWasWrittenByHand(t *testing.T) {
	b, dir, channels := benchWithChannel(t)
	const own = "export const mine = 1\n"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(channels, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	b.wantOutcome(b.run("", "makefrontend"), 1, channels+" was not generated")
	if text, err := os.ReadFile(channels); string(text) != own {
		t.Errorf("the file is %q now, %v", text, err)
	}
	b.wantOutcome(b.run("", "makefrontend", "--force"), 0, "-export const mine = 1")
}

func TestMakefrontendNeedsAFolder(t *testing.T) {
	b, _, _ := benchWithChannel(t)
	b.change = nil
	b.wantOutcome(b.run("", "makefrontend"), 1, "board: no folder to write to: give --out, or set Project.Frontend\n")
}
