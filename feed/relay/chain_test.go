package relay

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed"
)

// heard notes what a chain tells.
type heard []string

func (h *heard) Commit(c *feed.Commit) {
	*h = append(*h, fmt.Sprintf("commit %d of %d, more %v", c.Position, len(c.Changes), c.More))
}

func (h *heard) Advance(p feed.Position) { *h = append(*h, fmt.Sprintf("advance %d", p)) }

// TestChain follows the links of records: what is missing breaks it, what comes
// again is told once, and an owner is heard no more once another has begun.
func TestChain(t *testing.T) {
	commit := func(term uint64, previous, position feed.Position) record {
		return record{kind: committed, term: term, epoch: "e", life: 1, previous: previous, position: position, body: []byte{1}}
	}
	part := func(term uint64, number uint64, more bool) record {
		r := commit(term, 10, 20)
		r.part, r.more = number, more
		return r
	}
	for name, c := range map[string]struct {
		records []record
		told    string
		broken  string
	}{
		"in order":            {[]record{commit(1, 10, 20), commit(1, 20, 30)}, "commit 20 of 1, more false; commit 30 of 1, more false", ""},
		"comes again":         {[]record{commit(1, 5, 10), commit(1, 10, 20), commit(2, 10, 20), commit(2, 20, 30)}, "commit 20 of 1, more false; commit 30 of 1, more false", ""},
		"one is missing":      {[]record{commit(1, 10, 20), commit(1, 30, 40)}, "commit 20 of 1, more false", "what is between 20 and 30 is missing"},
		"the first is":        {[]record{commit(1, 11, 20)}, "", "what is between 10 and 11 is missing"},
		"old owner":           {[]record{commit(2, 10, 20), commit(1, 20, 30)}, "commit 20 of 1, more false", "term 1 comes after term 2"},
		"new owner":           {[]record{part(1, 0, true), part(2, 0, true), part(2, 1, false)}, "commit 20 of 1, more true; commit 20 of 1, more false", ""},
		"old owner goes on":   {[]record{part(1, 0, true), part(2, 0, true), part(1, 1, false)}, "", "term 1 comes after term 2"},
		"no end":              {[]record{part(1, 0, true), commit(1, 20, 30)}, "", "what is between 10 and 20 is missing"},
		"another life":        {[]record{{kind: begun, term: 2, epoch: "e", life: 2, previous: 10, position: 10}}, "", "it began anew"},
		"another epoch":       {[]record{{kind: renewed, term: 2, epoch: "f", life: 1, previous: 10, position: 10, body: []byte("restored")}}, "", "restored"},
		"an advance":          {[]record{{kind: advanced, term: 1, epoch: "e", life: 1, previous: 10, position: 15}, commit(1, 15, 20)}, "advance 15; commit 20 of 1, more false", ""},
		"an advance too far":  {[]record{{kind: advanced, term: 1, epoch: "e", life: 1, previous: 12, position: 15}}, "", "what is between 10 and 12 is missing"},
		"a heartbeat of once": {[]record{{kind: advanced, term: 1, epoch: "e", life: 1, previous: 10, position: 10}}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var told heard
			follow := chain{to: &told, epoch: "e", life: 1, position: 10, decode: func(feed.Part) (*feed.Commit, error) {
				return &feed.Commit{Changes: make([]feed.Change, 1)}, nil
			}}
			var err error
			for i := range c.records {
				if err = follow.take(&c.records[i]); err != nil {
					break
				}
			}
			if c.broken == "" && err != nil || c.broken != "" && (!errors.Is(err, errBroken) || !strings.Contains(err.Error(), c.broken)) {
				t.Errorf("error %v, want one with %q", err, c.broken)
			}
			if got := strings.Join(told, "; "); got != c.told {
				t.Errorf("told %q, want %q", got, c.told)
			}
		})
	}
}
