package pando_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/schema"
)

// Shelf is a tree of books.
type Shelf struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Books []Book `json:"books"`
}

// Book is what clients write.
type Book struct {
	ID      int64  `json:"id"`
	Title   string `json:"title"`
	ISBN    string `json:"isbn" pando:"readonly"`
	AddedBy string `json:"-"`
}

// Validate is asked about a book as it would be.
func (b *Book) Validate() error {
	if b.Title == "" {
		return pando.Errorf("invalid", "a book has a title")
	}
	return nil
}

// ShelfChannel lets editors write books.
type ShelfChannel struct {
	pando.Channel[Shelf, pando.NoRuntime]
}

// HasPermission lets everybody look.
func (c *ShelfChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// edits reads what the user may do in the transaction of the write.
func (c *ShelfChannel) edits(ctx context.Context) error {
	var one int
	err := pando.TxOf(ctx).QueryRowContext(ctx,
		`SELECT 1 FROM editors WHERE user_id = ? AND shelf_id = ?`, c.User().ID, c.Args().Int("id")).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return pando.Errorf("denied", "only editors change books")
	}
	return err
}

// CanSaveBook lets editors change books.
func (c *ShelfChannel) CanSaveBook(ctx context.Context, _ Book, _ pando.Data[Book]) error {
	return c.edits(ctx)
}

// CanCreateBook lets editors add books, and notes who did.
func (c *ShelfChannel) CanCreateBook(ctx context.Context, data pando.Data[Book]) error {
	if err := data.Set("AddedBy", c.User().ID); err != nil {
		return err
	}
	return c.edits(ctx)
}

// CanDeleteBook lets who added a book take it away.
func (c *ShelfChannel) CanDeleteBook(_ context.Context, old Book) error {
	if old.AddedBy != c.User().ID {
		return pando.Errorf("denied", "it is another's book")
	}
	return nil
}

// Clients save, create and delete what permission functions let them.
func ExampleWritable() {
	app, err := pando.New(pando.Config{Source: sqlitefeed.New(new(sql.DB))})
	if err != nil {
		fmt.Println(err)
		return
	}
	app.Handle("shelves/{id}", pando.For(func() *ShelfChannel { return &ShelfChannel{} }, pando.Writable[Book](
		pando.Save((*ShelfChannel).CanSaveBook),
		pando.Create((*ShelfChannel).CanCreateBook),
		pando.Delete((*ShelfChannel).CanDeleteBook),
	)))
	manifest, err := app.Manifest()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, w := range manifest.Channels[0].Writable {
		fmt.Println(w.Type.Name, "save:", w.Save, "create in:", pathsOf(w.In), "delete:", w.Delete)
		for _, f := range w.Fields {
			fmt.Println("  sets", f.Name, f.Kind)
		}
	}
	// Output:
	// Book save: true create in: [books] delete: true
	//   sets title text
}

func pathsOf(layers []*schema.Layer) []string {
	var paths []string
	for _, l := range layers {
		paths = append(paths, l.Path)
	}
	return paths
}
