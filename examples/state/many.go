package state

import "github.com/pando-sync/pando"

// Article has tags, and authors with what each of them did.
type Article struct {
	ID      int64    `json:"id"`
	Title   string   `json:"title"`
	Tags    []Tag    `json:"tags" pando:"through:article_tags,order:label"` // article_tags.article_id, .tag_id
	Credits []Credit `json:"credits" pando:"order:position"`                // credits.article_id
}

// Tag marks any number of articles.
type Tag struct {
	ID    int64  `json:"id"`
	Label string `json:"label"`
}

// Credit is a row of the table between articles and users.
type Credit struct {
	ID       int64  `json:"id"`
	Role     string `json:"role"`
	User     *User  `json:"user"`
	Position int    `json:"-"`
}

// ArticleChannel shows one article.
type ArticleChannel struct {
	pando.Channel[Article, pando.NoRuntime]
	everyone
}

func manyToMany(app *pando.App) {
	app.Handle("articles/{article_id}", pando.For(func() *ArticleChannel { return &ArticleChannel{} }))
}
