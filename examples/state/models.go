package state

import "github.com/pando-sync/pando"

// Writer is a model as GORM has it.
type Writer struct {
	ID     uint   `gorm:"primaryKey"`
	Name   string `gorm:"column:full_name"`
	Books  []Book `gorm:"foreignKey:WriterRef"`
	Awards []Award
}

// Book is a model as GORM has it.
type Book struct {
	ID          uint `gorm:"primaryKey"`
	Title       string
	WriterRef   uint      `json:"-"`
	PublisherID uint      `json:"-"`
	Publisher   Publisher `json:"publisher"`
}

// Publisher is a model as GORM has it.
type Publisher struct {
	ID   uint `gorm:"primaryKey"`
	Name string
}

// Award is no part of what is shown.
type Award struct {
	ID       uint `gorm:"primaryKey"`
	WriterID uint
}

// WriterChannel shows a writer with their books.
type WriterChannel struct {
	pando.Channel[Writer, pando.NoRuntime]
	everyone
}

func models(app *pando.App) {
	app.Handle("writers/{writer_id}", pando.For(
		func() *WriterChannel { return &WriterChannel{} },
		pando.Include("Books.Publisher"),
	))
}
