package state

import "github.com/pando-sync/pando"

// Comment has replies, which are comments.
type Comment struct {
	ID      int64     `json:"id"`
	Text    string    `json:"text"`
	Replies []Comment `json:"replies" pando:"link:parent_id,depth:2"`
}

// CommentChannel shows a comment with two levels of replies.
type CommentChannel struct {
	pando.Channel[Comment, pando.NoRuntime]
	everyone
}

func below(app *pando.App) {
	app.Handle("comments/{comment_id}", pando.For(func() *CommentChannel { return &CommentChannel{} }))
}
