package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

// TestOtherProcessesBroadcastAlike to who is connected to one server when something
// is written at another: with the layer in memory, and with Redis by setting one
// variable.
func TestOtherProcessesBroadcastAlike(t *testing.T) {
	for _, c := range []struct {
		name string
		need []string
		open func(*testing.T) (driver, dsn string, env []string)
	}{
		{"sqlite", nil, func(t *testing.T) (string, string, []string) {
			file := filepath.Join(t.TempDir(), "mux.db")
			return "sqlite", pandotest.DSN(file), []string{"PANDO_DB=" + file}
		}},
		{"postgresql", []string{"postgres"}, func(t *testing.T) (string, string, []string) {
			url := servers.Database(t)
			return "pgx", url, []string{"PANDO_DB=" + url}
		}},
		{"postgresql and redis", []string{"postgres", "redis"}, func(t *testing.T) (string, string, []string) {
			url := servers.Database(t)
			return "pgx", url, []string{"PANDO_DB=" + url, "PANDO_BROKER=" + servers.SharedRedis(t).URL(), "PANDO_NAMESPACE=muxnodes"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			servers.Need(t, c.need...)
			driver, dsn, env := c.open(t)
			first := start(t, env)
			second := start(t, env)
			db, err := sql.Open(driver, dsn)
			must(t, err)
			defer db.Close()
			testAnotherProcess(t, first, second, issue(t, token.New(db), "ada"))
		})
	}
}

func testAnotherProcess(t *testing.T, first, second, secret string) {
	here, there := enter(t, first, secret), enter(t, second, "")
	here.saysf(`{"action":"create","data":{"message":"by socket"}}`)
	here.wants("create", "by socket")
	there.wants("create", "by socket")
	ask(t, secret, http.MethodPost, second+"/api/messages", `{"message":"by REST"}`)
	here.wants("create", "by REST")
	there.wants("create", "by REST")
}

// start starts a server of its own process, which ends with the test, and returns
// its URL.
func start(t *testing.T, env []string) string {
	t.Helper()
	child := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "runserver")
	child.Env = slices.Concat(os.Environ(), env, []string{asProgram + "=1", "PANDO_ADDR=127.0.0.1:0"})
	var log bytes.Buffer
	child.Stderr = &log
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the server has ended: %v\n%s", child.Wait(), &log)
	}
	url := strings.TrimPrefix(lines.Text(), "mux: listening on ")
	t.Cleanup(func() {
		child.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(30*time.Second, func() { child.Process.Kill() })
		defer kill.Stop()
		for lines.Scan() { // the rest is for people
		}
		if err := child.Wait(); err != nil {
			t.Errorf("%s ended with %v", url, err)
		}
		if t.Failed() {
			t.Logf("the log of %s:\n%s", url, &log)
		}
	})
	return url // who connects waits until it serves
}
