package pandogorm_test

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/pando-sync/pando/adapters/pandogorm"
	"github.com/pando-sync/pando/client"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
)

// writing is what a test writes by, and how it looks at the client's state.
type writing struct {
	*testing.T

	db     *gorm.DB
	stream *pandotest.Stream[Author]
}

func (w *writing) do(result *gorm.DB) {
	w.Helper()
	w.ok(result.Error)
}

func (w *writing) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// shows waits until the client has what was written.
func (w *writing) shows(what string, is func(a *Author) bool) *Author {
	w.Helper()
	return w.stream.Wait(w, what, is)
}

func TestWrites(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			app := serve(t, d)
			mary := Author{
				Name: "Mary", Settings: Settings{Dark: true, Fonts: []string{"serif"}}, Place: Place{City: "London"},
				Profile: &Profile{Bio: "writes"}, Teams: []*Team{{Name: "poets"}},
				Books: []Book{{Title: "Frankenstein", Publisher: &Publisher{Code: "lack", Name: "Lackington"}, Chapters: []Chapter{{Number: 1, Title: "Letters"}}}},
			}
			if err := app.db.Create(&mary).Error; err != nil {
				t.Fatal(err)
			}
			w := &writing{t, app.db, app.open(t, "authors/1")}
			first := w.stream.State()
			if first.Name != "Mary" || first.City != "London" || !first.Settings.Dark || first.Profile == nil || first.Profile.Bio != "writes" ||
				len(first.Teams) != 1 || len(first.Books) != 1 || first.Books[0].Publisher.Name != "Lackington" || len(first.Books[0].Chapters) != 1 {
				t.Errorf("the state is %+v", first)
			}
			if !first.CreatedAt.Equal(mary.CreatedAt.Truncate(1000)) {
				t.Errorf("created at %s, want %s", first.CreatedAt, mary.CreatedAt)
			}
			w.columns(&mary)
			w.associations(&mary)
			w.deletions(&mary)
			w.transactions()
		})
	}
}

// columns are written by every way that GORM has.
func (w *writing) columns(mary *Author) {
	w.Helper()
	mary.Name, mary.Settings.Fonts = "Mary S.", []string{"mono", "serif"}
	w.do(w.db.Omit(clause.Associations).Save(mary))
	w.shows("Save and its hook", func(a *Author) bool {
		return a.Name == "Mary S." && len(a.Settings.Fonts) == 2 && a.Updates == 1
	})
	w.do(w.db.Model(&Author{}).Where("name LIKE ?", "Mary%").Updates(map[string]any{"home_city": "Pisa", "email": "m@example.com"}))
	w.shows("Updates of a map", func(a *Author) bool { return a.City == "Pisa" && a.Email != nil && *a.Email == "m@example.com" })
	w.do(w.db.Model(mary).Select("Street", "Email").Updates(&Author{Place: Place{Street: "Lungarno"}}))
	w.shows("Updates of a struct", func(a *Author) bool { return a.Street == "Lungarno" && a.Email == nil && a.City == "Pisa" })
	w.do(w.db.Model(mary).UpdateColumn("updates", gorm.Expr("updates + ?", 10)))
	w.shows("an expression", func(a *Author) bool { return a.Updates >= 11 })
	w.do(w.db.Exec("UPDATE lib_author SET home_street = ? WHERE id = ?", "raw", mary.ID))
	w.shows("raw SQL", func(a *Author) bool { return a.Street == "raw" })
	upsert := clause.OnConflict{Columns: []clause.Column{{Name: "code"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}
	w.do(w.db.Clauses(upsert).Create(&[]Publisher{{Code: "lack", Name: "Lackington & Co"}, {Code: "new", Name: "New"}}))
	w.shows("an upsert", func(a *Author) bool { return a.Books[0].Publisher.Name == "Lackington & Co" })
}

// associations are changed by GORM's association mode.
func (w *writing) associations(mary *Author) {
	w.Helper()
	w.ok(w.db.Model(mary).Association("Teams").Append(&Team{Name: "travellers"}, &Team{Name: "editors"}))
	w.shows("Append", func(a *Author) bool { return len(a.Teams) == 3 })
	w.ok(w.db.Model(mary).Association("Teams").Replace(&Team{Name: "widows"}))
	w.shows("Replace, which deletes memberships softly", func(a *Author) bool { return len(a.Teams) == 1 && a.Teams[0].Name == "widows" })
	circle := Circle{Name: "Diodati"}
	w.ok(w.db.Model(mary).Association("Circles").Append(&circle))
	w.shows("a join table without a struct", func(a *Author) bool { return len(a.Circles) == 1 && a.Circles[0].Name == "Diodati" })
	w.ok(w.db.Model(mary).Association("Circles").Delete(&circle))
	w.shows("Delete", func(a *Author) bool { return len(a.Circles) == 0 })
	many := make([]Book, 250)
	for i := range many {
		many[i] = Book{Title: "volume", WriterRef: &mary.ID}
	}
	w.do(w.db.CreateInBatches(&many, 100))
	w.shows("batches", func(a *Author) bool { return len(a.Books) == 251 })
	w.ok(w.db.Model(&mary.Books[0]).Association("Publisher").Clear())
	w.shows("Clear of a belongs-to", func(a *Author) bool { return a.Books[0].Publisher == nil })
}

// deletions are soft for who has gorm.Model.
func (w *writing) deletions(mary *Author) {
	w.Helper()
	w.do(w.db.Where("title = ?", "volume").Delete(&Book{}))
	w.shows("a soft deletion", func(a *Author) bool { return len(a.Books) == 1 })
	var kept int64
	w.do(w.db.Unscoped().Model(&Book{}).Count(&kept))
	if kept != 251 {
		w.Errorf("%d books are kept, want 251", kept)
	}
	w.do(w.db.Unscoped().Model(&Book{}).Where("id = ?", 2).Update("deleted_at", nil))
	w.shows("a restored row", func(a *Author) bool { return len(a.Books) == 2 })
	w.do(w.db.Unscoped().Where("title = ?", "volume").Delete(&Book{}))
	w.do(w.db.Delete(mary.Profile))
	w.shows("a deletion", func(a *Author) bool { return len(a.Books) == 1 && a.Profile == nil })
}

func (w *writing) transactions() {
	w.Helper()
	w.ok(w.db.Transaction(func(tx *gorm.DB) error {
		w.ok(tx.Model(&Author{}).Where("id = 1").Update("name", "outer").Error)
		inner := tx.Transaction(func(tx *gorm.DB) error {
			w.ok(tx.Model(&Author{}).Where("id = 1").Update("home_city", "inner").Error)
			return errTakenBack
		})
		if !errors.Is(inner, errTakenBack) {
			w.Errorf("the inner transaction: %v", inner)
		}
		return nil
	}))
	w.shows("what a savepoint left", func(a *Author) bool { return a.Name == "outer" && a.City == "Pisa" })
	var books uint
	w.stream.Call(w, &books, "addBook", 1, "The Last Man", []string{"one", "two"})
	if books != 2 {
		w.Errorf("the action has counted %d books, want 2", books)
	}
	w.shows("the action's", func(a *Author) bool {
		return len(a.Books) == 2 && a.Books[1].Title == "The Last Man" && len(a.Books[1].Chapters) == 2
	})
	err := w.stream.Try(w.Context(), nil, "ruin", 1)
	if err == nil || !strings.Contains(err.Error(), "taken back") {
		w.Errorf("the action that fails: %v", err)
	}
	var name string
	w.do(w.db.Model(&Author{}).Where("id = 1").Pluck("name", &name))
	if name != "outer" {
		w.Errorf("the author is %q after an action that failed", name)
	}
}

// nextPublisher is the model in the next release.
type nextPublisher struct {
	Code    string `gorm:"primaryKey;size:20"`
	Name    string `gorm:"not null;default:none;size:99"`
	Country string
}

// TestMigrate has GORM change a table that is followed.
func TestMigrate(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			app := serve(t, d)
			author := Author{Name: "Mary", Books: []Book{{Title: "Frankenstein", Publisher: &Publisher{Code: "lack", Name: "Lackington"}}}}
			if err := app.db.Create(&author).Error; err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c := client.New(app.server.URL, client.Options{Logger: quiet}) // comes back when the feed starts anew
			defer c.Close()
			state, err := client.Open[Author](ctx, c, "authors/1", client.Models(app.mapper), client.Include(followed...))
			if err != nil {
				t.Fatal(err)
			}
			next := app.db.Table("lib_publisher")
			if err := errors.Join(next.AutoMigrate(&nextPublisher{}), next.Migrator().AlterColumn(&nextPublisher{}, "Name")); err != nil {
				t.Fatal(err)
			}
			if !app.db.Migrator().HasColumn("lib_publisher", "country") {
				t.Fatal("GORM has not migrated the table")
			}
			if err := app.db.Model(&Publisher{}).Where("code = ?", "lack").Update("name", "after").Error; err != nil {
				t.Fatal(err)
			}
			if _, err := state.Wait(ctx, func(a Author) bool { return a.Books[0].Publisher.Name == "after" }); err != nil {
				t.Errorf("what was written to the table that was made anew: %v", err)
			}
		})
	}
}

// Models that cannot be followed as they are.
type (
	Secretive struct {
		ID   uint
		Text string `gorm:"serializer:gob"`
	}
	Tagged struct {
		ID    uint
		Label string `gorm:"uniqueIndex"`
		Items []Item `gorm:"foreignKey:Label;references:Label"`
	}
	Item struct {
		ID    uint
		Label string
	}
	Broken struct {
		ID    uint
		Parts []Settings
	}
)

func TestRefused(t *testing.T) {
	db := open(t, sqlite.New(sqlite.Config{Conn: pandotest.Database(t)}))
	for name, c := range map[string]struct {
		model   any
		include []string
		want    string
	}{
		"polymorphic":                 {Author{}, []string{"Notes"}, "Author.Notes: polymorphic"},
		"another column than the key": {Tagged{}, []string{"Items"}, "Tagged.Items: a relation by other columns than the key"},
		"a serializer":                {Secretive{}, nil, "Secretive.Text: its serializer"},
		"what GORM cannot parse":      {Broken{}, nil, "Broken: parse model *pandogorm_test.Broken"},
	} {
		t.Run(name, func(t *testing.T) {
			model := reflect.New(reflect.TypeOf(c.model)).Interface()
			_, err := schema.NewRegistry().Tree(reflect.TypeOf(c.model), schema.Mapped(pandogorm.Models(db, model)), schema.Include(c.include...))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestOtherStructs has structs that are not GORM's read by their own tags.
func TestOtherStructs(t *testing.T) {
	type Brief struct {
		ID    int64
		Title string `pando:"column:name"`
	}
	mapper := pandogorm.Models(open(t, sqlite.New(sqlite.Config{Conn: pandotest.Database(t)})), models...)
	r := schema.NewRegistry()
	tree, err := r.Tree(reflect.TypeFor[Brief](), schema.Mapped(mapper))
	if err != nil {
		t.Fatal(err)
	}
	if got := tree.Root.Type.Table.Name; got != "briefs" {
		t.Errorf("the table is %q, want briefs", got)
	}
}

// TestTxStaysInside writes by a handle of one connection, which the transaction
// has: a statement beside it would wait for its end.
func TestTxStaysInside(t *testing.T) {
	for name, prepared := range map[string]bool{"plain": false, "prepared statements": true} {
		t.Run(name, func(t *testing.T) {
			handle := pandotest.Database(t)
			c := config()
			c.PrepareStmt = prepared
			db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: handle}), c)
			if err != nil {
				t.Fatal(err)
			}
			if err := migrate(db); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			tx, err := handle.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			g := pandogorm.Tx(ctx, tx, db)
			author := Author{Name: "Mary", Profile: &Profile{Bio: "writes"}, Books: []Book{{Title: "Valperga"}}, Teams: []*Team{{Name: "poets"}}}
			var found []Author
			err = errors.Join(
				g.Create(&author).Error,
				g.Model(&author).Update("name", "M.").Error,
				g.Preload("Books").Preload("Teams").Where("name = ?", "M.").Find(&found).Error,
				g.Transaction(func(inner *gorm.DB) error { return inner.Delete(&author.Books[0]).Error }),
				g.Transaction(func(inner *gorm.DB) error { return inner.Model(&author).Association("Teams").Clear() }),
			)
			if err != nil || len(found) != 1 || len(found[0].Books) != 1 || len(found[0].Teams) != 1 {
				t.Errorf("found %+v: %v", found, err)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			if err := g.Create(&Team{Name: "late"}).Error; !errors.Is(err, sql.ErrTxDone) {
				t.Errorf("a write after the end: %v", err)
			}
			for _, model := range []any{&Author{}, &Profile{}, &Book{}, &Team{}, &Membership{}} {
				var rows int64
				if err := db.Unscoped().Model(model).Count(&rows).Error; err != nil || rows != 0 {
					t.Errorf("%d rows of %T are left (%v)", rows, model, err)
				}
			}
		})
	}
}
