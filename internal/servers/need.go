package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// program is a server's program.
type program struct {
	// file is its name, and folders are patterns of where it may be beside the
	// PATH; the last match, the newest release, is taken.
	file    string
	folders []string
	// install is the line that installs it.
	install string
}

var programs = map[string]program{
	"postgres":  {"postgres", []string{"/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin"}, "apt-get install -y postgresql"},
	"redis":     {"redis-server", []string{"/usr/sbin", "/usr/local/sbin"}, "apt-get install -y redis-server"},
	"nats":      {"nats-server", []string{"/usr/sbin", "/usr/local/sbin"}, "apt-get install -y nats-server"},
	"pgbouncer": {"pgbouncer", []string{"/usr/sbin", "/usr/local/sbin"}, "apt-get install -y pgbouncer"},
	"nginx":     {"nginx", []string{"/usr/sbin", "/usr/local/sbin"}, "apt-get install -y nginx"},
	"caddy":     {"caddy", nil, "apt-get install -y caddy"},
}

// find returns the path of a program by its name in programs.
func find(name string) (string, error) {
	p, ok := programs[name]
	if !ok {
		return "", fmt.Errorf("no server is called %q", name)
	}
	for _, folder := range p.folders {
		found, err := filepath.Glob(filepath.Join(folder, p.file))
		if err == nil && len(found) > 0 {
			return slices.Max(found), nil
		}
	}
	if found, err := exec.LookPath(p.file); err == nil {
		return found, nil
	}
	return "", fmt.Errorf("%s is not installed: %s", p.file, p.install)
}

// Need skips a test where the program of one of the servers "postgres", "redis",
// "nats", "pgbouncer", "nginx" and "caddy" is not installed, and fails it when
// CI=true.
func Need(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := find(name)
		switch {
		case err == nil:
		case os.Getenv("CI") == "true":
			t.Fatal(err)
		default:
			t.Skip(err)
		}
	}
}

// Program is Need, and the path of the program.
func Program(t testing.TB, name string) string {
	t.Helper()
	Need(t, name)
	path, err := find(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// stops are what ends the servers that tests share.
var stops struct {
	sync.Mutex

	all []func()
}

// atEnd has the shared servers' stop called when the tests are over.
func atEnd(stop func()) {
	stops.Lock()
	defer stops.Unlock()
	stops.all = append(stops.all, stop)
}

// Main is a package's tests which end the servers that they shared before they
// return.
func Main(m *testing.M) interface{ Run() int } { return tests{m} }

type tests struct{ m *testing.M }

// Run runs the tests.
func (t tests) Run() int {
	defer func() {
		stops.Lock()
		defer stops.Unlock()
		for _, stop := range stops.all {
			stop()
		}
		stops.all = nil
	}()
	return t.m.Run()
}
