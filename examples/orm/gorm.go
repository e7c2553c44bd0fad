package orm

import (
	"context"
	"database/sql"

	"gorm.io/gorm"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/adapters/pandogorm"
	"github.com/pando-sync/pando/feed"
)

// Author and Book are GORM's models, in tables that its naming strategy names.
type Author struct {
	gorm.Model

	Name  string
	Books []Book
}

// Book is a book of one author.
type Book struct {
	gorm.Model

	Title    string
	AuthorID uint
}

// AuthorChannel has an author with their books.
type AuthorChannel struct {
	pando.Channel[Author, pando.NoRuntime]

	db *gorm.DB
}

// HasPermission lets everybody in.
func (c *AuthorChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// AddBook adds a book, once, by GORM with all its hooks.
func (c *AuthorChannel) AddBook(ctx context.Context, tx *sql.Tx, title string) (uint, error) {
	book := Book{Title: title, AuthorID: uint(c.Args().Int("author_id"))}
	err := pandogorm.Tx(ctx, tx, c.db).Create(&book).Error
	return book.ID, err
}

// WithGORM returns the app over the models that db stores. The source is of the
// database that db has open.
func WithGORM(db *gorm.DB, source feed.Source) (*pando.App, error) {
	app, err := pando.New(pando.Config{
		Source: source,
		Models: pandogorm.Models(db, &Author{}, &Book{}),
	})
	if err != nil {
		return nil, err
	}
	app.Handle("authors/{author_id}", pando.For(func() *AuthorChannel { return &AuthorChannel{db: db} },
		pando.Public(),
		pando.Include("Books"),
		pando.Actions((*AuthorChannel).AddBook),
	))
	return app, nil
}
