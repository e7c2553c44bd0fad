package feed_test

import (
	"context"
	"testing"

	"github.com/pando-sync/pando/feed"
)

// plain is a source that can do nothing more, renewing one that can.
type (
	plain    struct{ feed.Source }
	renewing struct{ feed.Source }
	wrapping struct {
		feed.Source

		inner feed.Source
	}
)

func (renewing) Renew(context.Context) error { return nil }
func (w wrapping) Unwrap() feed.Source       { return w.inner }

func TestAsLooksIntoSources(t *testing.T) {
	for name, c := range map[string]struct {
		source feed.Source
		want   bool
	}{
		"itself":       {renewing{}, true},
		"within":       {wrapping{inner: wrapping{inner: renewing{}}}, true},
		"not":          {plain{}, false},
		"not within":   {wrapping{inner: plain{}}, false},
		"nothing":      {nil, false},
		"none within":  {wrapping{}, false},
		"both of them": {wrapping{Source: renewing{}, inner: plain{}}, false},
	} {
		if _, ok := feed.As[feed.Renewer](c.source); ok != c.want {
			t.Errorf("%s: %t, want %t", name, ok, c.want)
		}
	}
}
