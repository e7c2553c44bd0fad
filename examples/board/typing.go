package main

import (
	"context"
	"slices"
	"time"

	"github.com/pando-sync/pando"
)

// Typing is somebody who writes a comment.
type Typing struct {
	Person Person `json:"person"`
	// Card is the one that the comment is about.
	Card int64 `json:"card,string"`
}

// typingFor is how long somebody is shown who stops without saying so.
const typingFor = 4 * time.Second

// Typing tells the others that the user writes about a card, or has stopped, with
// 0. It is called again every now and then.
func (c *BoardChannel) Typing(ctx context.Context, cardID int64) error {
	if err := c.edits(ctx); err != nil {
		return err
	}
	return c.GroupSend(ctx, c.group(), "typing", Typing{c.me(), cardID}, pando.ExceptSender())
}

// OnTyping shows who writes, for a while.
func (c *BoardChannel) OnTyping(_ context.Context, t Typing) error {
	user := t.Person.ID
	if timer := c.quiet[user]; timer != nil {
		timer.Stop()
	}
	if t.Card == 0 {
		return c.showTyping(user)
	}
	if c.quiet == nil {
		c.quiet = map[int64]*time.Timer{}
	}
	c.quiet[user] = time.AfterFunc(typingFor, func() {
		c.showTyping(user) // numbers and strings can always be encoded
	})
	return c.showTyping(user, t)
}

// showTyping sets what a user writes now.
func (c *BoardChannel) showTyping(user int64, now ...Typing) error {
	return c.SetRuntime(func(r *BoardRuntime) {
		others := slices.DeleteFunc(slices.Clone(r.Typing), func(t Typing) bool { return t.Person.ID == user })
		r.Typing = append(others, now...)
	})
}
