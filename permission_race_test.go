package pando_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	versionOf = regexp.MustCompile(`"v":(\d+)`)
	epochOf   = regexp.MustCompile(`"epoch":"([^"]+)"`)
	bodyOf    = regexp.MustCompile(`members:[^"]*`)
)

// member is a user who wants to see the doc all the time. What it is sent has
// to name it: the doc's body always says who its members are.
type member struct {
	*reader

	id             string
	epoch, version string
	opens, shown   int
	// rounds gets the bodies that all are waited for to see.
	rounds chan string
	last   string
}

func (m *member) ask() {
	m.opens++
	resume := ""
	if m.version != "" && m.opens%2 == 0 {
		resume = fmt.Sprintf(`,"resume":{"epoch":%q,"versions":[%s]}`, m.epoch, m.version)
	}
	m.Sendf(`{"stream":"s1","id":%d,"payload":{"type":"open","route":"docs/1"%s}}`, m.opens, resume)
}

// look reads until the end is shown, and opens the doc whenever it is refused.
func (m *member) look() error {
	m.ask()
	for {
		text := m.Read()
		if body := bodyOf.FindString(text); body != "" {
			m.shown++
			if !strings.Contains(body, ","+m.id+",") {
				return fmt.Errorf("user %s was sent %s", m.id, text)
			}
			if strings.Contains(body, "all") && body != m.last {
				m.last = body
				m.rounds <- body
			}
			if strings.Contains(body, "end") {
				return nil
			}
		}
		if v := versionOf.FindStringSubmatch(text); v != nil && strings.Contains(text, `"stream":"#`) {
			m.version = v[1]
		}
		if e := epochOf.FindStringSubmatch(text); e != nil {
			m.epoch = e[1]
		}
		if strings.Contains(text, `"code":"denied"`) {
			m.ask()
		}
	}
}

// TestNobodyIsShownAStateThatExcludesHim changes who may see a doc, and the doc,
// in the same commits, while everybody tries to see it.
func TestNobodyIsShownAStateThatExcludesHim(t *testing.T) {
	o := openOffice(t)
	exec(t, o.db, "DELETE FROM members; UPDATE docs SET body = 'members:,'")
	const users, rounds, commits = 4, 5, 20
	var all sync.WaitGroup
	failed := make(chan error, users)
	readers := make([]*member, users)
	for i := range readers {
		id := string(rune('1' + i))
		readers[i] = &member{reader: o.dial(id), id: id, rounds: make(chan string, rounds+1)}
		if err := readers[i].Conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer close(readers[i].rounds)
			failed <- readers[i].look()
		})
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	everybody := func(int) bool { return true }
	for n := range rounds {
		for i := range commits {
			o.allow(1000*n+i, func(int) bool { return random.IntN(3) > 0 }, "some")
		}
		o.allow(1000*n+commits, everybody, "all")
		for _, m := range readers {
			<-m.rounds
		}
	}
	o.allow(1000*rounds, everybody, "end")
	all.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			t.Error(err)
		}
	}
	for _, m := range readers {
		if m.shown < rounds || m.opens < 2 {
			t.Errorf("user %s has opened %d times and was shown %d states: nothing was tried", m.id, m.opens, m.shown)
		}
	}
}

// allow makes those users members for whom may says so, in one commit with the
// doc's body.
func (o *office) allow(n int, may func(user int) bool, word string) {
	o.t.Helper()
	var body, rows strings.Builder
	for user := 1; user <= 4; user++ {
		if may(user) {
			fmt.Fprintf(&body, "%d,", user)
			fmt.Fprintf(&rows, "INSERT INTO members VALUES (%d, 1, %d);", 10*n+user+100, user)
		}
	}
	exec(o.t, o.db, fmt.Sprintf("BEGIN; DELETE FROM members; %s UPDATE docs SET body = 'members:,%s %d %s'; COMMIT",
		rows.String(), body.String(), n, word))
}
