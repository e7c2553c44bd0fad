package state_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/schema"
)

var update = flag.Bool("update", false, "rewrite the frames of testdata")

// TestFrames plays scripts: what is written to the database and asked by users,
// and below each step, behind the dashes, every frame that goes to anybody.
//
//	sql             executes the lines below it
//	USER open R     opens a route, USER close R closes it
//	USER call R A   calls an action with the JSON arguments that follow
//	USER state R    reads the state by HTTP
//	recheck USER    has a user's permissions asked again
func TestFrames(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			s := newStage(t)
			script := read(t, file)
			var played strings.Builder
			for i, step := range strings.Split(strings.TrimSuffix(script, "\n"), "\n\n") {
				if i > 0 {
					played.WriteString("\n")
				}
				played.WriteString(s.play(step))
			}
			if *update {
				if err := os.WriteFile(file, []byte(played.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got := played.String(); got != script {
				t.Errorf("%s: %s\n(rewrite with -update)", file, cmp.Diff(strings.Split(script, "\n"), strings.Split(got, "\n")))
			}
		})
	}
}

// stage is an app with the guide's channels, and its users.
type stage struct {
	*runner

	t     *testing.T
	users []*seat
}

// seat is a user's connection.
type seat struct {
	*wiretest.Socket

	id string
	// scopes are the routes, and whose part it is, by what frames are headed by.
	scopes map[string]string
	// asked is the id of the last request.
	asked int
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return &stage{runner: newRunner(t), t: t}
}

// play plays a step and returns it with what came of it.
func (s *stage) play(step string) string {
	s.t.Helper()
	step, _, _ = strings.Cut(step, "\n----")
	var said []string
	var block []string
	for line := range strings.Lines(step + "\n") {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || strings.HasPrefix(text, "#") || text == "sql":
		case strings.HasPrefix(line, "  "):
			block = append(block, text)
		default:
			said = append(said, s.ask(strings.Fields(text))...)
		}
	}
	if block != nil {
		if _, err := s.db.ExecContext(s.t.Context(), strings.Join(block, "\n")); err != nil {
			s.t.Fatalf("%s: %v", step, err)
		}
	}
	for _, u := range s.users {
		said = append(said, s.hear(u)...)
	}
	if len(said) == 0 {
		said = []string{"nothing is sent"}
	}
	return step + "\n----\n" + strings.Join(said, "\n") + "\n"
}

// ask does what a line says that is no SQL.
func (s *stage) ask(words []string) []string {
	s.t.Helper()
	if words[0] == "recheck" {
		s.app.Recheck(words[1])
		return nil
	}
	u, route := s.seat(words[0]), words[2]
	switch words[1] {
	case "open":
		u.sendf(route, `{"type":"open","route":%q}`, route)
	case "close":
		u.sendf(route, `{"type":"close"}`)
	case "call":
		u.sendf(route, `{"type":"action","name":%q,"args":[%s]}`, words[3], strings.Join(words[4:], " "))
	case "state":
		return []string{"state " + s.get(s.t, route, u.id)}
	default:
		s.t.Fatalf("unknown step %v", words)
	}
	asked := u.asked
	return s.listen(u, func(m *envelope) bool { return m.ID == asked })
}

// seat is the connection of a user, made by the first call.
func (s *stage) seat(id string) *seat {
	s.t.Helper()
	for _, u := range s.users {
		if u.id == id {
			return u
		}
	}
	u := &seat{Socket: wiretest.Dial(s.t, s.server.URL+"/ws", nil), id: id, scopes: map[string]string{}}
	u.sendf("@", `{"type":"connect","protocol":1,"token":%q}`, id)
	u.sendf("desk", `{"type":"open","route":"desk"}`) // its actions tell how far the frames have come
	s.users = append(s.users, u)
	return u
}

// sendf sends a request. A stream's name is its route with dots for slashes.
func (u *seat) sendf(stream, format string, args ...any) {
	u.asked++
	u.Sendf(`{"stream":%q,"id":%d,"payload":%s}`, strings.ReplaceAll(stream, "/", "."), u.asked, fmt.Sprintf(format, args...))
}

// envelope is any message of the server.
type envelope struct {
	Stream  string
	ID      int
	Payload struct {
		Type, Code, Message, Channel, Snapshot string

		V, Version uint64
		Scopes     []struct{ ID string }
		Set        json.RawMessage // rows, or the members of a runtime state
		Upd, Del   [][]any
	}
}

// hear tells what a user was sent of all that has been committed: an action's
// mark stands behind it.
func (s *stage) hear(u *seat) []string {
	s.t.Helper()
	u.sendf("desk", `{"type":"action","name":"sweep","args":[]}`)
	var until uint64
	return s.listen(u, func(m *envelope) bool {
		if m.ID == u.asked {
			until = m.Payload.Version
		}
		return m.Payload.Type == "mark" && until > 0 && m.Payload.V >= until
	})
}

// listen tells what a user is sent up to a message.
func (s *stage) listen(u *seat, last func(*envelope) bool) []string {
	s.t.Helper()
	var said []string
	for {
		text := u.Read()
		var m envelope
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			s.t.Fatalf("%v: %s", err, text)
		}
		for i, scope := range m.Payload.Scopes {
			u.scopes[scope.ID] = strings.ReplaceAll(m.Stream, ".", "/")
			if i > 0 {
				u.scopes[scope.ID] += " for " + u.id + " alone"
			}
		}
		if line := s.tell(u, &m); line != "" {
			said = append(said, line)
		}
		if last(&m) {
			return said
		}
	}
}

// tell is a message in words, empty for what is none of the script's.
func (s *stage) tell(u *seat, m *envelope) string {
	p := &m.Payload
	about := strings.ReplaceAll(m.Stream, ".", "/")
	if strings.HasPrefix(m.Stream, "#") {
		about = u.scopes[m.Stream]
	}
	line := fmt.Sprintf("to %s: %s", u.id, about)
	switch {
	case about == "desk" || m.Stream == "@" && (p.Type == "mark" || p.Type == "connected"):
		return ""
	case m.Stream == "@":
		return fmt.Sprintf("to %s: %s", u.id, p.Type)
	case p.Code != "":
		return fmt.Sprintf("%s %s %s", line, p.Type, p.Code)
	case p.Type != "":
		return line + " " + p.Type
	}
	line += " at " + strconv.FormatUint(p.V, 10)
	if p.Snapshot != "" {
		line += ", snapshot " + p.Snapshot
	}
	return line + s.rows(p.Set, p.Upd, p.Del)
}

// rows are the rows of a state frame by the names of their types and fields.
func (s *stage) rows(set json.RawMessage, upd, del [][]any) string {
	var b strings.Builder
	var rows [][]any
	if len(set) > 0 {
		if err := json.Unmarshal(set, &rows); err != nil {
			s.t.Fatalf("%v: %s", err, set)
		}
	}
	for _, r := range rows {
		typ, values := s.typ(r[0]), r[1].([]any)
		fmt.Fprintf(&b, "\n  set %s", typ.Name)
		for i, v := range values {
			fmt.Fprintf(&b, " %s=%s", typ.Fields[i].Name, encoded(v))
		}
	}
	for _, r := range upd {
		typ := s.typ(r[0])
		fmt.Fprintf(&b, "\n  upd %s %v", typ.Name, r[1])
		for change := range slices.Chunk(r[2:], 2) {
			fmt.Fprintf(&b, " %s=%s", typ.Fields[int(change[0].(float64))].Name, encoded(change[1]))
		}
	}
	for _, r := range del {
		fmt.Fprintf(&b, "\n  del %s %v", s.typ(r[0]).Name, r[1])
	}
	return b.String()
}

func (s *stage) typ(id any) *schema.Type { return s.manifest.Registry.Types[int(id.(float64))] }

func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
