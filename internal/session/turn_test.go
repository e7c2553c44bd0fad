package session

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWhatChangedBeforeALongTurn has a turn begin before the writer has looked at
// what changed: it is shown while the turn lasts.
func TestWhatChangedBeforeALongTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Session{ctx: t.Context(), shard: newShard()}
		st := &stream{session: c}
		st.Wake()
		st.beginTurn()
		c.runtime.Store(false) // the writer takes it
		if st.mayShow() {
			t.Error("it is shown at the beginning of a turn")
		}
		<-time.After(turnTime)
		synctest.Wait()
		if !c.runtime.Load() || !st.mayShow() {
			t.Errorf("it is not shown after %s", turnTime)
		}
		st.endTurn()
	})
}
