package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/pando-sync/pando/internal/servers"
)

// TestStartprojectAndStartappMakeAProjectThatRuns has an app of each kind, where there
// is no network, and does with it what its author does first.
func TestStartprojectAndStartappMakeAProjectThatRuns(t *testing.T) {
	dir := t.TempDir()
	must(t, dir, "startproject", "demo", "--module", "github.com/me/demo")
	demo := filepath.Join(dir, "demo")
	must(t, demo, "startapp", "shop")
	must(t, demo, "startapp", "blog", "--pages")
	do(t, demo, "", "make", "test")
	do(t, demo, "", "make", "build")

	t.Run("sqlite", func(t *testing.T) {
		do(t, demo, "lovelace\n", "bin/demo", "createuser", "ada", "--password-stdin")
		url := serve(t, demo)
		for path, want := range map[string]string{
			"/":                 `<body data-room="lobby">`,
			"/scripts/index.js": "from './stream.js'",
			"/icon.svg":         "<svg",
			"/blog/":            `href="/blog/blog.css"`,
			"/blog/blog.css":    "color-scheme",
			"/readyz":           "",
		} {
			if status, body := ask(t, http.MethodGet, url+path, "", nil); status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("GET %s: %d, without %q", path, status, want)
			}
		}
		token := login(t, url)
		broadcast(t, url, url, token)
		if _, body := ask(t, http.MethodGet, url+"/state/rooms/lobby", token, nil); !strings.Contains(body, `"text":"Hello"`) {
			t.Errorf("the state of the room is %s", body)
		}
	})
	// The same program on other settings: a message at one server is told at another.
	t.Run("postgresql and redis", func(t *testing.T) {
		servers.Need(t, "postgres", "redis")
		t.Setenv("PANDO_DB", servers.Database(t))
		t.Setenv("PANDO_BROKER", servers.SharedRedis(t).URL())
		do(t, demo, "lovelace\n", "bin/demo", "createuser", "ada", "--password-stdin")
		first, second := serve(t, demo), serve(t, demo)
		broadcast(t, first, second, login(t, first))
	})
}

// login returns a token of ada's.
func login(t *testing.T, url string) string {
	t.Helper()
	var answer struct{ Token string }
	_, body := ask(t, http.MethodPost, url+"/api/token", "", map[string]string{"username": "ada", "password": "lovelace"})
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Token == "" {
		t.Fatalf("log in: %v\n%s", err, body)
	}
	return answer.Token
}

// broadcast posts a message at one address and hears of it at another.
func broadcast(t *testing.T, from, to, token string) {
	t.Helper()
	room := dial(t, to, token)
	room.say(t, `{"stream":"message-stream","payload":{"action":"subscribe"}}`)
	room.hear(t, `"action":"snapshot"`)
	message := map[string]string{"room": "lobby", "text": "Hello"}
	if status, body := ask(t, http.MethodPost, from+"/api/messages", token, message); status != http.StatusOK {
		t.Fatalf("post a message: %d %s", status, body)
	}
	room.hear(t, `{"stream":"message-stream","payload":{"action":"create","pk":1,"data":{"room":"lobby","author":"ada","text":"Hello"`)
}

// peer is a connection to the room, without Pando's client.
type peer struct{ net.Conn }

func dial(t *testing.T, url, token string) peer {
	t.Helper()
	dialer := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"Authorization": {"Token " + token}}}
	conn, _, _, err := dialer.Dial(t.Context(), "ws"+strings.TrimPrefix(url, "http")+"/demultiplex/lobby/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return peer{conn}
}

func (p peer) say(t *testing.T, text string) {
	t.Helper()
	if err := wsutil.WriteClientText(p, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// hear reads the next message, which has to have a text in it.
func (p peer) hear(t *testing.T, want string) {
	t.Helper()
	text, err := wsutil.ReadServerText(p)
	if err != nil || !strings.Contains(string(text), want) {
		t.Fatalf("the next message is %s, %v, want one with %s", text, err, want)
	}
}

// do runs a program in a folder, without a network.
func do(t *testing.T, dir, stdin, name string, args ...string) {
	t.Helper()
	if strings.HasPrefix(name, "bin/") {
		name = filepath.Join(dir, name)
	}
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir, command.Stdin = dir, strings.NewReader(stdin)
	command.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// serve starts the project on a free port until the test ends, and returns its
// address.
func serve(t *testing.T, dir string) (url string) {
	t.Helper()
	server := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(dir, "bin/demo"), "runserver", "--addr", "127.0.0.1:0")
	server.Dir = dir
	var errOut bytes.Buffer
	server.Stderr = &errOut
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Signal(syscall.SIGTERM)
		io.Copy(io.Discard, out)
		if err := server.Wait(); err != nil {
			t.Errorf("the server ended with %v\n%s", err, errOut.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	url, found := strings.CutPrefix(strings.TrimSpace(line), "demo: listening on ")
	if !found {
		t.Fatalf("the server's first line is %q, %v", line, err)
	}
	return url
}

// ask makes a request with a token and returns the status and the body.
func ask(t *testing.T, method, url, token string, body any) (status int, answer string) {
	t.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	if token != "" {
		r.Header.Set("Authorization", "Token "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
