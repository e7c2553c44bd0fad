package pando_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/mux"
)

// TestPermissionIsWithdrawnBeforeAllStreamsHaveBegun has one stream be refused while
// others of its connection are about to begin.
func TestPermissionIsWithdrawnBeforeAllStreamsHaveBegun(t *testing.T) {
	var asked sync.Map // by connection, as the streams of one that ends may yet ask
	b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
		d := b.lobby()
		for name := range strings.SplitSeq("abcdefgh", "") {
			d.Consumers[name] = b.echo()
		}
		d.HasPermission = func(_ context.Context, c *mux.Conn) (bool, error) {
			if _, again := asked.LoadOrStore(c, true); again {
				return false, nil
			}
			b.app.Recheck("ada")
			return true, nil // as it was before
		}
		return []mux.Entry{mux.RouteClass(d, hallPath)}
	})
	for range 30 {
		s := b.plain("/hall/a/", "ada")
		s.Want(`"code":"denied"`)
		s.Conn.Close()
	}
}

// TestPermissionIsAskedAgainWhileConnectionsEnd has doubts come at any moment of
// the end of plain connections.
func TestPermissionIsAskedAgainWhileConnectionsEnd(t *testing.T) {
	b := serveBooth(t, routeHall)
	ctx, stop := context.WithCancel(t.Context())
	var doubts sync.WaitGroup
	doubts.Go(func() {
		for ctx.Err() == nil {
			b.app.Recheck("ada")
			runtime.Gosched()
		}
	})
	for range 200 {
		s := b.plain("/hall/a/", "ada")
		s.Sendf(`{"stream":"echo","id":1,"payload":{"say":"hello"}}`)
		s.Read()
		s.Conn.Close()
	}
	stop()
	doubts.Wait()
}
