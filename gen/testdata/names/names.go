// Package names is the case of the generator's tests for names that collide, or
// that TypeScript has its own ideas about, and for comments.
package names

import (
	"context"

	"github.com/pando-sync/pando/gen/testdata/names/billing"
)

// Item has a name that billing has, and a comment with everything in it: an
// end */, `backquotes`, a [link], a [billing.Item], and
//
// @ts-expect-error is no tag here, nor is
//
//		@ts-ignore in code, which stays
//		  indented
//
//	  - a list
//	  - of two
type Item struct {
	ID int64 `json:"id"`
	// Deprecated: it is gone.
	Class       string         `json:"class"`
	Constructor string         `json:"constructor"`
	Dashed      string         `json:"with-dash"`
	Quoted      string         `json:"größe"`
	Billed      []billing.Item `json:"billed"`
}

// Promise is a name of TypeScript's library.
//
// Deprecated: use something
// else.
type Promise struct {
	At string `json:"new"`
}

type object struct {
	Key   string `json:"0"`
	Proto string `json:"__proto__"`
}

// Summary has a name that billing has.
type Summary struct {
	Count int `json:"count"`
}

// ItemChannel shows an item.
type ItemChannel struct{}

// New has parameters that are words of the language.
func (*ItemChannel) New(_ context.Context, new, class, arg4 string, _ string, arguments int) (object, error) {
	_, _, _, _ = new, class, arg4, arguments
	return object{}, nil
}

// Function returns what is named like a global.
//
// Deprecated: call New.
func (*ItemChannel) Function(context.Context, string) (Promise, error) { return Promise{}, nil }

// Ours is a summary.
func (*ItemChannel) Ours(context.Context) (Summary, error) { return Summary{}, nil }

// Theirs is another.
func (*ItemChannel) Theirs(context.Context) (billing.Summary, error) { return billing.Summary{}, nil }

// Raw returns an item as it is stored.
func (*ItemChannel) Raw(context.Context) (billing.Item, error) { return billing.Item{}, nil }
