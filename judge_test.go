package pando

import (
	"context"
	"database/sql"
	"testing"
	"testing/synctest"

	"github.com/pando-sync/pando/schema"
)

// TestAWriteDoesNotWaitToJudge has all room for calls of IsVisible taken, as by
// streams that wait for a connection to the database.
func TestAWriteDoesNotWaitToJudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		typ := &schema.Type{Table: &schema.Table{Columns: []schema.Column{{Name: "id", Kind: schema.Int}}}}
		tree := &schema.Tree{Root: &schema.Layer{Through: &schema.Layer{Type: typ}}}
		s := &stream{
			app: &App{judges: make(chan struct{}, 1)}, channel: &channel{schema: &schema.Channel{Tree: tree}},
			judge: func(context.Context, *schema.Type, schema.Row) (bool, error) { return true, nil },
		}
		s.app.judges <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan bool, 1)
		go func() { answer <- s.isVisible(withTx(ctx, &sql.Tx{}), schema.Row{schema.IntValue(1)}) }()
		synctest.Wait()
		if len(answer) == 0 {
			t.Error("it waits")
		}
		cancel()
		if !<-answer {
			t.Error("the row is hidden")
		}
	})
}
