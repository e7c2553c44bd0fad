package pandogorm_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"testing"

	"go.uber.org/goleak"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	gormschema "gorm.io/gorm/schema"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/adapters/pandogorm"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
)

func TestMain(m *testing.M) {
	logger.Default = logger.Discard // GORM's parser writes to it
	// GORM tidies up prepared statements for as long as the program runs.
	goleak.VerifyTestMain(servers.Main(m), goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}

// Models as a program has them. Their names in the database are made by the naming
// strategy of naming.
type (
	Author struct {
		gorm.Model
		Name     string
		Email    *string  `gorm:"uniqueIndex"`
		Settings Settings `gorm:"serializer:json"`
		Place    `gorm:"embeddedPrefix:home_"`
		Profile  *Profile
		Books    []Book   `gorm:"foreignKey:WriterRef"`
		Teams    []*Team  `gorm:"many2many:memberships"`
		Circles  []Circle `gorm:"many2many:author_circles"`
		Notes    []Note   `gorm:"polymorphic:Owner"`
		Seen     int      `gorm:"-"`
		Updates  int
	}
	Place    struct{ City, Street string }
	Settings struct {
		Dark  bool
		Fonts []string
	}
	Profile struct {
		ID       uint
		AuthorID uint
		Bio      string `gorm:"column:biography;type:text"`
	}
	Book struct {
		gorm.Model
		Title         string
		WriterRef     *uint
		PublisherCode *string
		Publisher     *Publisher
		Chapters      []Chapter `pando:"order:number"`
	}
	Chapter struct {
		BookID uint `gorm:"primaryKey;autoIncrement:false"`
		Number int  `gorm:"primaryKey;autoIncrement:false"`
		Title  string
	}
	Publisher struct {
		Code string `gorm:"primaryKey;size:20"`
		Name string
	}
	Team struct {
		ID      uint
		Name    string
		Authors []*Author `gorm:"many2many:memberships"`
	}
	// Membership is a join table of the program's own.
	Membership struct {
		AuthorID  uint `gorm:"primaryKey"`
		TeamID    uint `gorm:"primaryKey"`
		DeletedAt gorm.DeletedAt
	}
	Circle struct {
		ID   uint
		Name string
	}
	Note struct {
		ID        uint
		OwnerID   uint
		OwnerType string
		Text      string
	}
)

// BeforeUpdate is a hook that writes more than was asked for.
func (a *Author) BeforeUpdate(tx *gorm.DB) error {
	if a.ID != 0 {
		tx.Statement.SetColumn("Updates", a.Updates+1)
	}
	return nil
}

var models = []any{&Author{}, &Profile{}, &Book{}, &Chapter{}, &Publisher{}, &Team{}, &Membership{}, &Circle{}, &Note{}}

var naming = gormschema.NamingStrategy{TablePrefix: "lib_", SingularTable: true}

func config() *gorm.Config {
	return &gorm.Config{NamingStrategy: naming, Logger: logger.Discard, TranslateError: true}
}

// database is one that the tests run on.
type database struct {
	name string
	open func(t *testing.T) (*gorm.DB, feed.Source)
}

var databases = append(byCgo(), []database{
	{"SQLite without cgo", func(t *testing.T) (*gorm.DB, feed.Source) {
		handle := pandotest.Database(t)
		return open(t, sqlite.New(sqlite.Config{Conn: handle})), sqlitefeed.New(handle, sqlitefeed.WithLogger(quiet))
	}},
	{"PostgreSQL", func(t *testing.T) (*gorm.DB, feed.Source) {
		servers.Need(t, "postgres")
		url := servers.Database(t)
		g := open(t, postgres.Open(url))
		return g, pgfeed.New(handle(t, g), url, pgfeed.WithLogger(quiet))
	}},
}...)

var quiet = slog.New(slog.DiscardHandler)

func open(t *testing.T, dialect gorm.Dialector) *gorm.DB {
	t.Helper()
	g, err := gorm.Open(dialect, config())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func handle(t *testing.T, g *gorm.DB) *sql.DB {
	t.Helper()
	db, err := g.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// AuthorChannel has an author with all that GORM relates to them.
type AuthorChannel struct {
	pando.Channel[Author, pando.NoRuntime]

	db *gorm.DB
}

func (c *AuthorChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// AddBook adds a book with its chapters, and tries one more that GORM takes back.
func (c *AuthorChannel) AddBook(ctx context.Context, tx *sql.Tx, author uint, title string, chapters []string) (uint, error) {
	g := pandogorm.Tx(ctx, tx, c.db)
	book := Book{Title: title, WriterRef: &author}
	for i, chapter := range chapters {
		book.Chapters = append(book.Chapters, Chapter{Number: i + 1, Title: chapter})
	}
	if err := g.Create(&book).Error; err != nil {
		return 0, err
	}
	err := g.Transaction(func(inner *gorm.DB) error {
		if err := inner.Create(&Book{Title: "never", WriterRef: &author}).Error; err != nil {
			return err
		}
		return errTakenBack
	})
	if !errors.Is(err, errTakenBack) {
		return 0, errors.Join(errors.New("the savepoint"), err)
	}
	var books int64
	if err := g.Model(&Book{}).Where(&Book{WriterRef: &author}).Count(&books).Error; err != nil {
		return 0, err
	}
	return uint(books), nil
}

// Ruin writes, and fails.
func (c *AuthorChannel) Ruin(ctx context.Context, tx *sql.Tx, author uint) error {
	g := pandogorm.Tx(ctx, tx, c.db)
	if err := g.Model(&Author{}).Where("id = ?", author).Update("name", "ruined").Error; err != nil {
		return err
	}
	if err := g.Commit().Error; err == nil {
		return errors.New("GORM has committed a transaction that is not its own")
	}
	if err := g.Rollback().Error; err == nil {
		return errors.New("GORM has rolled back a transaction that is not its own")
	}
	return pando.Errorf("refused", "taken back")
}

var errTakenBack = errors.New("taken back")

var followed = []string{"Profile", "Books.Publisher", "Books.Chapters", "Teams", "Circles"}

// running is an app over the models.
type running struct {
	db     *gorm.DB
	server *pandotest.Server
	mapper schema.Mapper
}

func serve(t *testing.T, d database) *running {
	t.Helper()
	g, source := d.open(t)
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := migrate(g); err != nil {
		t.Fatal(err)
	}
	mapper := pandogorm.Models(g, models...)
	app, err := pando.New(pando.Config{Source: source, Models: mapper, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("authors/{author_id}", pando.For(func() *AuthorChannel { return &AuthorChannel{db: g} },
		pando.Public(), pando.Include(followed...), pando.Actions((*AuthorChannel).AddBook, (*AuthorChannel).Ruin)))
	return &running{g, pandotest.Serve(t, app), mapper}
}

// migrate is what a program does before it serves.
func migrate(g *gorm.DB) error {
	return errors.Join(
		g.SetupJoinTable(&Author{}, "Teams", &Membership{}),
		g.SetupJoinTable(&Team{}, "Authors", &Membership{}),
		g.AutoMigrate(models...),
	)
}

// open opens the state of an author.
func (r *running) open(t *testing.T, route string) *pandotest.Stream[Author] {
	t.Helper()
	return pandotest.Open[Author](t, r.server.Connect(t, ""), route, schema.Mapped(r.mapper), schema.Include(followed...))
}
