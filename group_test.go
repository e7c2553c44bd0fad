package pando_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/membroker"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// Said is an event.
type Said struct {
	By   string `json:"by"`
	Text string `json:"text"`
}

// UnmarshalJSON implements json.Unmarshaler, as somebody does who does not expect
// a number.
func (s *Said) UnmarshalJSON(text []byte) error {
	if text[0] == '7' {
		panic("a number")
	}
	type plain Said
	return json.Unmarshal(text, (*plain)(s))
}

// Guest is what is told of a person.
type Guest struct {
	Name string `json:"name"`
}

// HallRuntime is what a stream was told.
type HallRuntime struct {
	Heard  []string `json:"heard"`
	People []string `json:"people"`
	Moves  []string `json:"moves"`
	Gaps   int      `json:"gaps"`
	Told   []string `json:"told"` // the groups of which it was told who is there
}

// HallChannel is a doc whose readers talk to each other.
type HallChannel struct {
	pando.Channel[Doc, HallRuntime]

	hall *hall
}

// hall is what the rooms of a test share.
type hall struct {
	app    *pando.App
	server *pandotest.Server
	log    *logs
	// early is what joining a group in HasPermission returned; unblock lets blocked
	// streams go on, which tell in blocked that they are.
	mu               sync.Mutex
	early            error
	called           map[string]int // consumers, by user
	unblock, blocked chan struct{}
}

func (c *HallChannel) HasPermission(ctx context.Context) (bool, error) {
	err := c.GroupAdd(ctx, "news")
	c.hall.mu.Lock()
	defer c.hall.mu.Unlock()
	if c.hall.early == nil {
		c.hall.early = err
	}
	return c.User().ID != "stranger", nil
}

func (c *HallChannel) OnConnect(ctx context.Context) error {
	if err := c.Notify("welcome", c.User().ID); err != nil {
		return err
	}
	if err := errors.Join(c.GroupAdd(ctx, "news"), c.GroupAdd(ctx, "news")); err != nil {
		return err
	}
	switch c.User().ID {
	case "unlucky":
		return errors.New("unlucky")
	case "shy":
		return c.GroupAdd(ctx, c.room())
	}
	return c.Present(ctx, c.room(), Guest{"The " + c.User().ID})
}

// OnDisconnect says goodbye to the others; the stream itself hears nothing more.
func (c *HallChannel) OnDisconnect(ctx context.Context) {
	if err := c.GroupSend(ctx, "news", "said", Said{c.User().ID, "bye"}); err != nil {
		panic(err)
	}
}

func (c *HallChannel) room() string { return "room." + c.Args().String("doc_id") }

func (c *HallChannel) Say(ctx context.Context, text string) error {
	if err := c.GroupSend(ctx, "news", "said", Said{c.User().ID, text}); err != nil {
		return err
	}
	return c.hear("said " + text) // before the stream hears it
}

func (c *HallChannel) Tell(ctx context.Context, text string) error {
	return c.GroupSend(ctx, "news", "said", Said{c.User().ID, text}, pando.ExceptSender())
}

func (c *HallChannel) Depart(ctx context.Context) error { return c.GroupDiscard(ctx, c.room()) }

func (c *HallChannel) Block(ctx context.Context) error {
	c.hall.blocked <- struct{}{}
	select {
	case <-c.hall.unblock:
	case <-ctx.Done():
	}
	return nil
}

func (c *HallChannel) OnSaid(ctx context.Context, e Said) error {
	c.hall.mu.Lock()
	c.hall.called[c.User().ID]++
	c.hall.mu.Unlock()
	switch e.Text {
	case "panic":
		panic("at the disco")
	case "hang":
		<-ctx.Done()
		return ctx.Err()
	case "fail":
		return errors.New("no ears")
	}
	return c.hear(e.By + ": " + e.Text)
}

func (c *HallChannel) hear(text string) error {
	return c.SetRuntime(func(r *HallRuntime) { r.Heard = append(slices.Clone(r.Heard), text) })
}

func (c *HallChannel) OnGap(context.Context) error {
	return c.SetRuntime(func(r *HallRuntime) { r.Gaps++ })
}

func (c *HallChannel) OnPeople(_ context.Context, p pando.Presence[Guest]) error {
	return c.SetRuntime(func(r *HallRuntime) {
		r.People, r.Moves = nil, slices.Clone(r.Moves)
		r.Told = append(slices.Clone(r.Told), p.Group)
		for _, one := range p.People {
			r.People = append(r.People, fmt.Sprintf("%s %d", one.Info.Name, one.Connections))
		}
		for _, one := range p.Joined {
			r.Moves = append(r.Moves, "+"+one.User)
		}
		for _, one := range p.Left {
			r.Moves = append(r.Moves, "-"+one.User)
		}
	})
}

// logs keeps what is logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// count is the number of lines that have a part.
func (l *logs) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), part)
}

// openHalls runs nodes of one app over one database and broker.
func openHalls(t *testing.T, nodes int) ([]*hall, *sql.DB) {
	t.Helper()
	db := pandotest.Database(t)
	exec(t, db, docs)
	var layer broker.Broker
	if nodes > 1 {
		b, err := membroker.New(broker.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		layer = b
	}
	halls := make([]*hall, nodes)
	for i := range halls {
		halls[i] = openHall(t, db, layer)
	}
	return halls, db
}

func openHall(t *testing.T, db *sql.DB, layer broker.Broker, options ...pando.Option) *hall {
	t.Helper()
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	h := &hall{log: &logs{}, called: map[string]int{}, unblock: make(chan struct{}), blocked: make(chan struct{})}
	var err error
	h.app, err = pando.New(pando.Config{Source: source, Auth: names{}, Broker: layer, Logger: slog.New(slog.NewTextHandler(h.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	options = append(options,
		pando.Actions((*HallChannel).Say, (*HallChannel).Tell, (*HallChannel).Depart, (*HallChannel).Block),
		pando.Consume("said", (*HallChannel).OnSaid),
		pando.OnPresence((*HallChannel).OnPeople),
		pando.Public(),
	)
	h.app.Handle("rooms/{doc_id}", pando.For(func() *HallChannel { return &HallChannel{hall: h} }, options...))
	h.server = pandotest.Serve(t, h.app)
	return h
}

// guest is an open room.
type guest struct {
	*pandotest.Stream[Doc]

	t      *testing.T
	client *pandotest.Client
}

func (h *hall) enter(t *testing.T, user string) *guest {
	t.Helper()
	client := h.server.Connect(t, user)
	return &guest{pandotest.Open[Doc](t, client, "rooms/1"), t, client}
}

func (g *guest) runtime() (r HallRuntime) {
	g.t.Helper()
	if err := g.Runtime(&r); err != nil {
		g.t.Fatal(err)
	}
	return r
}

// until waits until the runtime state is as wanted.
func (g *guest) until(what string, ok func(HallRuntime) bool) HallRuntime {
	g.t.Helper()
	g.Wait(g.t, what, func(*Doc) bool { return ok(g.runtime()) })
	return g.runtime()
}

// hears waits until a text was heard, and returns all that were.
func (g *guest) hears(text string) []string {
	g.t.Helper()
	return g.until("hearing "+text, func(r HallRuntime) bool { return slices.Contains(r.Heard, text) }).Heard
}

func TestGroups(t *testing.T) {
	for _, nodes := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			halls, _ := openHalls(t, nodes)
			one, two := halls[0], halls[nodes-1]
			ada, grace := one.enter(t, "ada"), two.enter(t, "grace")
			for i := range 20 {
				ada.Call(t, nil, "say", strconv.Itoa(i))
			}
			ada.Call(t, nil, "tell", "psst")
			ada.Call(t, nil, "say", "end")
			var wantAda, wantGrace []string
			for i := range 20 {
				wantAda = append(wantAda, fmt.Sprint("said ", i), fmt.Sprint("ada: ", i))
				wantGrace = append(wantGrace, fmt.Sprint("ada: ", i))
			}
			wantAda = append(wantAda, "said end", "ada: end")
			wantGrace = append(wantGrace, "ada: psst", "ada: end")
			if got := grace.hears("ada: end"); !slices.Equal(got, wantGrace) {
				t.Errorf("grace heard %q, want %q", got, wantGrace)
			}
			got := ada.hears("ada: end")
			if nodes > 1 {
				// An event that comes by the broker may come behind the next action.
				slices.Sort(got)
				slices.Sort(wantAda)
			}
			if !slices.Equal(got, wantAda) {
				t.Errorf("ada heard %q, want %q", got, wantAda)
			}
			if err := two.app.GroupSend(t.Context(), "news", "said", Said{"the app", "hello"}); err != nil {
				t.Fatal(err)
			}
			if err := two.app.GroupSend(t.Context(), "news", "unheard of", 7); err != nil {
				t.Fatal(err)
			}
			ada.hears("the app: hello")
			ada.client.Drop()
			grace.hears("ada: bye")
			if err := one.early; err == nil || !strings.Contains(err.Error(), "do it in OnConnect") {
				t.Errorf("joining a group in HasPermission: %v", err)
			}
		})
	}
}

// TestNoEventBeforePermission opens streams that are refused while events come:
// their consumers are never called.
func TestNoEventBeforePermission(t *testing.T) {
	halls, _ := openHalls(t, 1)
	h := halls[0]
	ada := h.enter(t, "ada")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := h.app.GroupSend(t.Context(), "news", "said", Said{"app", "hello"}); err != nil {
				t.Error(err)
			}
		}
	})
	for range 20 {
		pandotest.Refused[Doc](t, h.server.Connect(t, "stranger"), "rooms/1")
		pandotest.Refused[Doc](t, h.server.Connect(t, "unlucky"), "rooms/1")
	}
	close(stop)
	wg.Wait()
	ada.Call(t, nil, "say", "still here")
	ada.hears("ada: still here")
	if got := ada.runtime().Heard; slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "stranger") }) {
		t.Errorf("a stranger was heard: %q", got)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.called["ada"] == 0 || h.called["stranger"] > 0 || h.called["unlucky"] > 0 {
		t.Errorf("consumers were called: %v", h.called)
	}
}

func TestConsumersThatFail(t *testing.T) {
	for nodes := range 2 {
		t.Run(fmt.Sprintf("%d nodes", 1+nodes), func(t *testing.T) {
			halls, _ := openHalls(t, 1+nodes)
			testConsumersThatFail(t, halls[0])
		})
	}
}

func testConsumersThatFail(t *testing.T, h *hall) {
	t.Helper()
	ada := h.enter(t, "ada")
	send := func(event any) {
		t.Helper()
		if err := h.app.GroupSend(t.Context(), "news", "said", event); err != nil {
			t.Fatal(err)
		}
	}
	send(Said{"app", "panic"})
	send(Said{"app", "fail"})
	send(7)
	for range 3 {
		send("a text in the place of an object")
	}
	send(Said{"app", "hello"})
	if got := ada.hears("app: hello"); len(got) != 1 {
		t.Errorf("ada heard %q", got)
	}
	for part, want := range map[string]int{"at the disco": 1, "group_test.go": 1, "no ears": 1, "not what its consumer takes": 1} {
		if got := h.log.count(part); got != want && (part != "group_test.go" || got == 0) {
			t.Errorf("the log has %q %d times, want %d", part, got, want)
		}
	}
}

// TestConsumerThatHangs has a consumer take longer than the channel allows.
func TestConsumerThatHangs(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, docs)
	h := openHall(t, db, nil, pando.ActionTimeout(20*time.Millisecond))
	ada := h.enter(t, "ada")
	for _, text := range []string{"hang", "hello"} {
		if err := h.app.GroupSend(t.Context(), "news", "said", Said{"app", text}); err != nil {
			t.Fatal(err)
		}
	}
	ada.hears("app: hello")
	if h.log.count("deadline exceeded") != 1 {
		t.Error("that a consumer hung is not logged")
	}
}

// TestFullLine sends more events than a stream can hold: it hears the first of
// them, is told of a gap, and of what comes afterwards.
func TestFullLine(t *testing.T) {
	halls, _ := openHalls(t, 1)
	h := halls[0]
	ada, grace := h.enter(t, "ada"), h.enter(t, "grace")
	ada.until("the others", func(r HallRuntime) bool { return len(r.People) == 2 })
	called := make(chan error, 1)
	go func() { called <- ada.Try(t.Context(), nil, "block") }()
	<-h.blocked
	const room, more = 128, 50
	for i := range room + more {
		if err := h.app.GroupSend(t.Context(), "news", "said", Said{"app", strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
		grace.hears(fmt.Sprint("app: ", i)) // who is quick loses nothing
	}
	close(h.unblock)
	if err := <-called; err != nil {
		t.Fatal(err)
	}
	if err := h.app.GroupSend(t.Context(), "news", "said", Said{"app", "again"}); err != nil {
		t.Fatal(err)
	}
	got := ada.until("the gap", func(r HallRuntime) bool { return r.Gaps > 0 && slices.Contains(r.Heard, "app: 127") })
	if got.Gaps != 1 || slices.Contains(got.Heard, "app: 128") || len(grace.runtime().Heard) < room+more {
		t.Errorf("ada heard %d events and of %d gaps, grace %d", len(got.Heard), got.Gaps, len(grace.runtime().Heard))
	}
	if err := h.app.GroupSend(t.Context(), "news", "said", Said{"app", "later"}); err != nil {
		t.Fatal(err)
	}
	ada.hears("app: later")
}

func TestPresence(t *testing.T) {
	for _, nodes := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			halls, _ := openHalls(t, nodes)
			one, two := halls[0], halls[nodes-1]
			people := func(g *guest, want ...string) {
				t.Helper()
				g.until(fmt.Sprintf("people %q", want), func(r HallRuntime) bool { return slices.Equal(r.People, want) })
			}
			shy := one.enter(t, "shy")
			// Who comes before a stream is told who is there has not joined for it.
			shy.until("the empty room", func(r HallRuntime) bool { return slices.Contains(r.Told, "room.1") })
			ada := one.enter(t, "ada")
			grace := two.enter(t, "grace")
			window := two.enter(t, "ada")
			for _, g := range []*guest{shy, ada, grace, window} {
				people(g, "The ada 2", "The grace 1")
			}
			if got := shy.runtime().Moves; !slices.Equal(got, []string{"+ada", "+grace"}) {
				t.Errorf("shy saw the moves %q", got)
			}
			window.client.Drop()
			people(grace, "The ada 1", "The grace 1")
			grace.Call(t, nil, "depart")
			people(ada, "The ada 1", "The grace 0")
		})
	}
}

// wrongRoom is another channel.
type wrongRoom struct {
	pando.Channel[Doc, pando.NoRuntime]
}

func (*wrongRoom) HasPermission(context.Context) (bool, error)           { return true, nil }
func (*wrongRoom) OnSaid(context.Context, Said) error                    { return nil }
func (*wrongRoom) OnOther(context.Context, error) error                  { return nil }
func (*wrongRoom) OnPeople(context.Context, pando.Presence[Guest]) error { return nil }
func (*wrongRoom) OnGaps(context.Context) error                          { return nil }

func TestConsumeDeclarations(t *testing.T) {
	for name, c := range map[string]struct {
		options []pando.Option
		want    string
	}{
		"another channel's":  {[]pando.Option{pando.Consume("said", (*wrongRoom).OnSaid)}, `Consume "said": the method is one of *pando_test.wrongRoom: give one of *pando_test.HallChannel`},
		"twice":              {[]pando.Option{pando.Consume("said", (*HallChannel).OnSaid), pando.Consume("said", (*HallChannel).OnSaid)}, `is given twice`},
		"no type":            {[]pando.Option{pando.Consume("", (*HallChannel).OnSaid)}, "the type of the events is missing"},
		"nil":                {[]pando.Option{pando.Consume[*HallChannel, Said]("said", nil)}, "the method is nil"},
		"an interface":       {[]pando.Option{pando.Consume("said", func(*HallChannel, context.Context, error) error { return nil })}, "cannot be decoded as error"},
		"another's presence": {[]pando.Option{pando.OnPresence((*wrongRoom).OnPeople)}, "OnPresence: the method is one of *pando_test.wrongRoom"},
		"presence twice":     {[]pando.Option{pando.OnPresence((*HallChannel).OnPeople), pando.OnPresence((*HallChannel).OnPeople)}, "OnPresence is given twice"},
		"presence nil":       {[]pando.Option{pando.OnPresence[*HallChannel, Guest](nil)}, "the method is nil"},
	} {
		source := sqlitefeed.New(pandotest.Database(t))
		t.Cleanup(func() { source.Close() })
		app, err := pando.New(pando.Config{Source: source})
		if err != nil {
			t.Fatal(err)
		}
		app.Handle("rooms/{doc_id}", pando.For(func() *HallChannel { return &HallChannel{} }, c.options...))
		if _, err := app.Manifest(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	source := sqlitefeed.New(pandotest.Database(t))
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("rooms/{doc_id}", pando.For(func() *wrongRoom { return &wrongRoom{} }))
	if _, err := app.Manifest(); err == nil || !strings.Contains(err.Error(), "method OnGaps looks like the hook OnGap") {
		t.Errorf("a slip in a hook's name: %v", err)
	}
}

// TestGroupErrors asks for what cannot be.
func TestGroupErrors(t *testing.T) {
	halls, _ := openHalls(t, 1)
	app := halls[0].app
	ctx := t.Context()
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a bad name":       {app.GroupSend(ctx, "two words", "said", 1), "bad name"},
		"a reserved name":  {app.GroupSend(ctx, "pando.notices", "said", 1), "Pando's own"},
		"no type":          {app.GroupSend(ctx, "news", "", 1), "no type"},
		"not JSON":         {app.GroupSend(ctx, "news", "said", func() {}), "unsupported type"},
		"too large":        {app.GroupSend(ctx, "news", "said", strings.Repeat("x", broker.MaxMessage)), "too large"},
		"no channel":       {app.Notify(ctx, pando.At[*wrongRoom](1), "n", 1), "no channel *pando_test.wrongRoom is declared"},
		"other parameters": {app.Notify(ctx, pando.At[*HallChannel](1, 2), "n", 1), "has 1 parameters, but At has 2"},
		"a bad parameter":  {app.Notify(ctx, pando.At[*HallChannel]("one"), "n", 1), "doc_id"},
		"no notice's name": {app.Notify(ctx, pando.At[*HallChannel](1), "", 1), "has no name"},
		"another struct":   {app.BroadcastInstance(ctx, pando.At[*HallChannel](1), pando.Ref[Board](1)), "does not show pando_test.Board"},
		"a bad key":        {app.BroadcastInstance(ctx, pando.At[*HallChannel](1), pando.Ref[Doc]("x")), "key of table docs"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, c.err, c.want)
		}
	}
}
