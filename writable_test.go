package pando_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// LodgerChannel is a channel whose functions are not StudyChannel's.
type LodgerChannel struct {
	pando.Channel[Study, pando.NoRuntime]
}

func (*LodgerChannel) HasPermission(context.Context) (bool, error) { return true, nil }

func (*LodgerChannel) CanSave(context.Context, Sheet, pando.Data[Sheet]) error { return nil }

func (*LodgerChannel) CanLink(context.Context, Person) error { return nil }

func (*LodgerChannel) CanLinkDesk(context.Context, Study) error { return nil }

// Paper has a Validate of its own meaning.
type Paper struct {
	ID int64 `json:"id"`
}

func (Paper) Validate(int) bool { return true }

type PaperChannel struct {
	pando.Channel[Paper, pando.NoRuntime]
}

func (*PaperChannel) HasPermission(context.Context) (bool, error) { return true, nil }

func TestMistakesInWritable(t *testing.T) {
	save, create := pando.Save((*StudyChannel).CanSave), pando.Create((*StudyChannel).CanCreate)
	for name, c := range map[string]struct {
		option pando.Option
		want   string
	}{
		"nothing":            {pando.Writable[Sheet](), "writable pando_test.Sheet: it offers no operation: give Save, Create or Delete"},
		"twice":              {pando.Writable[Sheet](save, save), "Save is given twice"},
		"another type":       {pando.Writable[Study](save), "Save is for rows of pando_test.Sheet: give one for pando_test.Study"},
		"another channel":    {pando.Writable[Sheet](pando.Save((*LodgerChannel).CanSave)), "Save is given a function of *pando_test.LodgerChannel: give one of *pando_test.StudyChannel"},
		"no function":        {pando.Writable[Sheet](pando.Delete[*StudyChannel, Sheet](nil)), "Delete is given no function"},
		"no link function":   {pando.Writable[Sheet](save, pando.CanLink[*StudyChannel, Person](nil)), "CanLink is given no function"},
		"no such rows":       {pando.Writable[Task](pando.Save(func(*StudyChannel, context.Context, Task, pando.Data[Task]) error { return nil })), "there are no rows of pando_test.Task: name one of Study, Sheet, Person"},
		"no place":           {pando.Writable[Person](pando.Create(func(*StudyChannel, context.Context, pando.Data[Person]) error { return nil })), "there is no place for a new one"},
		"leave what":         {pando.Writable[Sheet](create, pando.MayLeave[Sheet]()), "MayLeave is for rows that are saved"},
		"who may leave":      {pando.Writable[Sheet](save, pando.MayLeave[Study]()), "MayLeave is for rows of pando_test.Study"},
		"optimistic":         {pando.Writable[Sheet](save, pando.Optimistic[Sheet](-time.Second)), "Optimistic(-1s): give a positive duration, or 0 for none"},
		"another's CanLink":  {pando.Writable[Sheet](save, pando.CanLink((*LodgerChannel).CanLink)), "CanLink is given a function of *pando_test.LodgerChannel"},
		"CanLink twice":      {pando.Writable[Sheet](save, pando.CanLink((*StudyChannel).CanLink), pando.CanLink((*StudyChannel).CanLink)), "CanLink of Person is given twice"},
		"CanLink of no rows": {pando.Writable[Sheet](save, pando.CanLink(func(*StudyChannel, context.Context, Task) error { return nil })), "CanLink: there are no rows of pando_test.Task"},
		"CanLink of no link": {pando.Writable[Study](pando.Save(func(*StudyChannel, context.Context, Study, pando.Data[Study]) error { return nil }), pando.CanLink((*StudyChannel).CanLink)), "CanLink: no link of Study leads to Person"},
	} {
		if err := setUp(t, "studies/{study_id}", pando.For(func() *StudyChannel { return &StudyChannel{} }, c.option)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	both := pando.For(func() *StudyChannel { return &StudyChannel{} }, pando.Writable[Sheet](save), pando.Writable[Sheet](create))
	if err := setUp(t, "studies/{study_id}", both); err == nil || !strings.Contains(err.Error(), "writable pando_test.Sheet: Writable is given twice") {
		t.Errorf("two for one type: %v", err)
	}
	papers := pando.For(func() *PaperChannel { return &PaperChannel{} },
		pando.Writable[Paper](pando.Save(func(*PaperChannel, context.Context, Paper, pando.Data[Paper]) error { return nil })))
	if err := setUp(t, "papers/{id}", papers); err == nil || !strings.Contains(err.Error(), "method Validate of Paper has another signature than the hook") {
		t.Errorf("another Validate: %v", err)
	}
}

// setUp declares a channel over an empty database, and returns what is wrong with
// the declaration.
func setUp(t *testing.T, route string, d *pando.Declaration) error {
	t.Helper()
	source := sqlitefeed.New(pandotest.Database(t))
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle(route, d)
	_, err = app.Manifest()
	return err
}

func TestManifestTellsWhatIsWritable(t *testing.T) {
	d := openStudy(t)
	m, err := d.app.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	w := m.Channels[0].Writable[0]
	var fields []string
	for _, f := range w.Fields {
		fields = append(fields, f.Name+"="+f.Shown)
	}
	if got := strings.Join(fields, " "); got != "text=text pages=pages author=@author_id" {
		t.Errorf("the fields are %s", got)
	}
	if !w.Save || !w.Create || !w.Delete || len(w.In) != 1 || w.In[0].Path != "sheets" || w.Optimistic != 30*time.Second {
		t.Errorf("what is writable is %+v", w)
	}
}
