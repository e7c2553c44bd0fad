package pando_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

type allowed struct {
	pando.Channel[Board, pando.NoRuntime]
}

func (*allowed) HasPermission(context.Context) (bool, error) { return true, nil }

type other struct {
	pando.Channel[Board, pando.NoRuntime]
}

func (*other) HasPermission(context.Context) (bool, error) { return true, nil }
func (*other) Rename(context.Context, string) error        { return nil }

type slip struct{ allowed }

func (*slip) OnConect(context.Context) error { return nil }

type shape struct{ allowed }

func (*shape) OnDisconnect(context.Context) error { return nil }

type account struct { //nolint:unused // as a type argument
	ID    int64
	Token string
}

type badState struct {
	pando.Channel[account, pando.NoRuntime]
}

func (*badState) HasPermission(context.Context) (bool, error) { return true, nil }

func (*allowed) Many(context.Context, ...string) error { return nil }
func (*allowed) NoContext(string) error                { return nil }
func (*allowed) NoError(context.Context) string        { return "" }

type limitedJudge struct {
	pando.List[Task, pando.NoRuntime]
}

func (*limitedJudge) HasPermission(context.Context) (bool, error)    { return true, nil }
func (*limitedJudge) IsVisible(context.Context, *Task) (bool, error) { return true, nil }

type wrongJudge struct {
	pando.List[Task, pando.NoRuntime]
}

func (*wrongJudge) HasPermission(context.Context) (bool, error)   { return true, nil }
func (*wrongJudge) IsVisible(context.Context, Task) (bool, error) { return true, nil }

type anchorJudge struct{ allowed }

func (*anchorJudge) IsVisible(context.Context, *Board) (bool, error) { return true, nil }

func TestWrongDeclarationsAreNamedAtStart(t *testing.T) {
	plain := func() *allowed { return &allowed{} }
	tasks := func() *TasksChannel { return &TasksChannel{} }
	for _, tt := range []struct {
		name, route string
		declaration *pando.Declaration
		want        string
	}{
		{"no parameter", "boards", pando.For(plain), "must be the key of Board"},
		{"a slash at the end", "boards/{id}/", pando.For(plain), "without slashes at the ends"},
		{"a parameter twice", "boards/{id}/{id}", pando.For(plain), "comes twice"},
		{"a bad parameter", "boards/{Board-ID}", pando.For(plain), "want {name} of lower-case"},
		{"an anchor that is not there", "boards/{id}", pando.For(plain, pando.AnchorBy("slug")), "no parameter {slug}"},
		{"another channel's action", "boards/{id}", pando.For(plain, pando.Actions((*other).Rename)), "is a method of *pando_test.other"},
		{"a closure", "boards/{id}", pando.For(plain, pando.Actions(func(*allowed, context.Context) error { return nil })), "is no method expression"},
		{"a variadic action", "boards/{id}", pando.For(plain, pando.Actions((*allowed).Many)), "take a slice"},
		{"an action without context", "boards/{id}", pando.For(plain, pando.Actions((*allowed).NoContext)), "must be a context.Context"},
		{"an action without error", "boards/{id}", pando.For(plain, pando.Actions((*allowed).NoError)), "must return an error"},
		{"a slip in a hook's name", "boards/{id}", pando.For(func() *slip { return &slip{} }), "looks like the hook OnConnect"},
		{"a hook of another shape", "boards/{id}", pando.For(func() *shape { return &shape{} }), "want OnDisconnect(ctx context.Context)"},
		{"an order without a list", "boards/{id}", pando.For(plain, pando.OrderBy("name")), "embed pando.List"},
		{"a limit without a list", "boards/{id}", pando.For(plain, pando.Limit(3)), "embed pando.List"},
		{"a list of its own without a list", "boards/{id}", pando.For(plain, pando.OwnList()), "embed pando.List"},
		{"a time in the cache below 0", "boards/{id}", pando.For(plain, pando.CacheTTL(-1)), "CacheTTL(-1ns): give a time"},
		{"a cached list of its own", "tasks", pando.For(tasks, pando.OwnList(), pando.CacheTTL(1)), "is not cached"},
		{"a cached list with a limit", "tasks", pando.For(tasks, pando.Limit(3), pando.CacheTTL(1)), "is not cached"},
		{"an anchor of a list", "tasks/{id}", pando.For(tasks, pando.AnchorBy("id")), "a list has no anchor"},
		{"a condition on no parameter", "tasks", pando.For(tasks, pando.Where("owner_id", pando.Eq(pando.Arg("who")))), "no parameter {who}"},
		{"a parameter that is taken for the user", "tasks/{user}", pando.For(tasks, pando.Where("owner_id", pando.Eq(pando.Arg("user")))), "rename the parameter"},
		{"a condition on no column", "tasks", pando.For(tasks, pando.Where("colour", pando.IsNull())), "declares no column colour"},
		{"a constant of another kind", "tasks", pando.For(tasks, pando.Where("done", pando.Eq("maybe"))), "done"},
		{"a tenant that a table lacks", "boards/{id}", pando.For(plain, pando.Tenant("tenant_id", tenantOf)), "tenant_id"},
		{"a judge and a limit", "tasks", pando.For(func() *limitedJudge { return &limitedJudge{} }, pando.Limit(3)), "exclude each other"},
		{"a judge of another shape", "tasks", pando.For(func() *wrongJudge { return &wrongJudge{} }), "IsVisible(ctx context.Context, instance *T)"},
		{"a judge of an anchor", "boards/{id}", pando.For(func() *anchorJudge { return &anchorJudge{} }), "no pando.List"},
		{"a watch of no column", "boards/{id}", pando.For(plain, pando.RecheckOn[Member]("colour")), "declares no column colour"},
		{"a watch by no parameter", "boards/{id}", pando.For(plain, pando.RecheckOn[Member]("doc_id", "doc")), "no parameter {doc}"},
		{"a watch by two parameters", "boards/{id}", pando.For(plain, pando.RecheckOn[Member]("doc_id", "id", "id")), "name one"},
		{"a watch by the anchor of a list", "tasks/{id}", pando.For(tasks, pando.RecheckOn[Member]("doc_id")), "a list has no anchor"},
		{"a secret column", "things/{id}", pando.For(func() *badState { return &badState{} }), "public"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source := sqlitefeed.New(pandotest.Database(t))
			defer source.Close()
			app, err := pando.New(pando.Config{Source: source})
			if err != nil {
				t.Fatal(err)
			}
			app.Handle(tt.route, tt.declaration)
			if _, err := app.Manifest(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}

func TestRoutesThatMeetAreRefused(t *testing.T) {
	source := sqlitefeed.New(pandotest.Database(t))
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("boards/{id}", pando.For(func() *allowed { return &allowed{} }))
	app.Handle("{kind}/{id}", pando.For(func() *other { return &other{} }))
	if _, err := app.Manifest(); err == nil || !strings.Contains(err.Error(), "also matches") {
		t.Errorf("got %v", err)
	}
}

func TestMissingTableIsNamed(t *testing.T) {
	source := sqlitefeed.New(pandotest.Database(t))
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("boards/{id}", pando.For(func() *allowed { return &allowed{} }))
	if err := app.Setup(t.Context()); err == nil || !strings.Contains(err.Error(), "boards") {
		t.Errorf("got %v", err)
	}
}
