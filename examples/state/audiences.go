package state

import "github.com/pando-sync/pando"

// Page is shown to all; the drafts on it to their authors only.
type Page struct {
	ID     int64   `json:"id"`
	Title  string  `json:"title"`
	Drafts []Draft `json:"drafts" pando:"user_key:author_id"`
}

// Draft is what its author has not published.
type Draft struct {
	ID       int64  `json:"id"`
	Text     string `json:"text"`
	AuthorID int64  `json:"-"`
}

// PageChannel shows one page.
type PageChannel struct {
	pando.Channel[Page, pando.NoRuntime]
	everyone
}

func audiences(app *pando.App) {
	app.Handle("pages/{page_id}", pando.For(func() *PageChannel { return &PageChannel{} }))
}
