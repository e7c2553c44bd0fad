package bind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/schema"
)

// Bounds of what a subscription begins with.
const (
	// partSize is about the bytes of a part.
	partSize = 256 << 10
	// pageRows is how many rows are asked for at once, maxExamined how many are
	// looked at for those of the connections' groups.
	pageRows    = 1000
	maxExamined = 1_000_000
)

// errUnknown tells that a commit which reads do not see yet does not say all of a
// row.
var errUnknown = errors.New("the feed does not tell what a row is that reads do not see yet")

// rows are those of a table that some lines begin with: what a snapshot shows, with
// all that the feed has told and it does not show. They are what the feed had told
// at one place.
type rows struct {
	*loader

	lines []*Line
	// after is how far the feed had told when the lines began to keep what they are
	// told, upto what place the rows are of.
	after, upto feed.Position
	starts      int // of the feed, when after was asked for
	snap        feed.Snapshot

	// unseen are the rows of commits that the snapshot does not show, nil for those
	// that are gone.
	unseen map[schema.Value]schema.Row
	// ties are the rows of tables between of such commits.
	ties map[*schema.Table]map[schema.Value]schema.Row
	all  []loaded
	// groups are the groups of rows, by their place in of and in.
	groups map[string]int
	of     [][]int // the rows of a group, by their places in all
	in     []bool  // whether one of the lines is in a group
	// mine are the groups that each of the lines is in, ascending.
	mine map[*Line][]int
	// known are the parts of the lines that are in the same groups.
	known map[string][]*Message

	examined  int
	failed    error
	failures  int
	shortened bool
}

// loaded is a row that is of a group of one of the lines.
type loaded struct {
	row    schema.Row
	groups []int
	// text is the row as it is told, once it was; nil for one that cannot be.
	text json.RawMessage
	told bool
}

// load reads the rows, waits until everything that they show was told, and brings
// them to one place.
func (r *rows) load(ctx context.Context, reader Reader) error {
	snap, before, err := reader.Read(ctx)
	if err != nil {
		return err
	}
	r.snap = snap
	err = r.read(ctx)
	if r.model.ways == nil { // else the keys are read once it is known of which rows
		err = errors.Join(err, snap.Close())
	}
	if err == nil {
		err = r.out.reach(ctx, max(r.after, snap.Position()), r.starts)
	}
	if err == nil {
		err = r.replay(before)
	}
	if r.model.ways != nil {
		if err == nil {
			err = r.complete(ctx)
		}
		err = errors.Join(err, snap.Close())
	}
	if err != nil {
		return fmt.Errorf("read table %s: %w", r.model.Table.Name, err)
	}
	r.arrange()
	return nil
}

// replay puts in what the snapshot does not show: of commits that the lines were
// told, or would have been, and of those that came since. One of several
// transactions, of which the snapshot shows some, is put in as a whole.
func (r *rows) replay(before []*feed.Commit) error {
	for _, c := range before {
		if c.Position > r.after {
			break // it is among those that came since
		}
		if err := r.apply(net(r.model.among(c.Changes))); err != nil {
			return err
		}
	}
	since, err := r.past()
	if err != nil {
		return err
	}
	r.upto = r.after
	for _, p := range since {
		if p.commit.Position > r.after && !r.snap.Saw(p.commit) {
			if err := r.apply(p.rows); err != nil {
				return err
			}
		}
		r.upto = max(r.upto, p.commit.Position)
	}
	key := r.model.Table.Key
	r.all = slices.DeleteFunc(r.all, func(l loaded) bool {
		_, known := r.unseen[l.row[key]]
		return known
	})
	for _, row := range r.unseen {
		if row != nil {
			r.add(row)
		}
	}
	return nil
}

// apply notes what has become of rows.
func (r *rows) apply(changes []changed) error {
	table := r.model.Table
	for i := range changes {
		switch c := &changes[i]; {
		case !r.model.follows(c.table):
		case c.unknown:
			return errUnknown
		case c.table != table:
			if r.ties[c.table] == nil {
				r.ties[c.table] = map[schema.Value]schema.Row{}
			}
			r.ties[c.table][c.key] = c.now
		default:
			// A row that came and went may be one that the snapshot shows.
			r.unseen[c.key] = c.now
		}
	}
	return nil
}

// read reads the table in order until every line has as many rows as it is to
// have.
func (r *rows) read(ctx context.Context) error {
	q := feed.Query{
		Table: r.model.Table, Column: r.model.All, Values: []schema.Value{schema.TupleValue()},
		Order: r.model.Order, Limit: pageRows,
	}
	for {
		page := 0
		err := r.snap.Rows(ctx, q, func(row schema.Row) error {
			page++
			q.After = row
			r.add(row)
			return nil
		})
		if err != nil {
			return err
		}
		r.examined += page
		if page < pageRows || r.enough() {
			return nil
		}
		if r.examined >= maxExamined {
			r.shortened = true
			return nil
		}
	}
}

// add adds a row if it is of a group that one of the lines is in.
func (r *rows) add(row schema.Row) {
	names, err := r.model.Groups(row)
	if err != nil {
		r.fail(err)
		return
	}
	var groups []int
	for _, name := range names {
		if g := r.group(name); r.in[g] {
			groups = append(groups, g)
		}
	}
	if groups == nil {
		return
	}
	for _, g := range groups {
		r.of[g] = append(r.of[g], len(r.all))
	}
	r.all = append(r.all, loaded{row: row, groups: groups})
}

// group finds which lines are in a group.
func (r *rows) group(name string) int {
	if g, known := r.groups[name]; known {
		return g
	}
	g := len(r.in)
	r.groups[name] = g
	in := false
	r.out.cfg.Groups.Each(name, func(m group.Member) {
		for _, line := range r.out.linesAt(place{m, r.model}) {
			if groups, reads := r.mine[line]; reads {
				r.mine[line], in = append(groups, g), true
			}
		}
	})
	r.in, r.of = append(r.in, in), append(r.of, nil)
	return g
}

// enough tells whether every line has all rows that it begins with.
func (r *rows) enough() bool {
	counted := map[string]bool{}
	for _, line := range r.lines {
		groups := r.mine[line]
		// What one group has is enough in most cases, and needs no counting.
		if !line.waits() || slices.ContainsFunc(groups, func(g int) bool { return len(r.of[g]) >= r.model.Limit }) {
			continue
		}
		name := nameOf(groups)
		if !counted[name] && len(r.places(groups)) < r.model.Limit {
			return false
		}
		counted[name] = true
	}
	return true
}

// nameOf is a name for groups.
func nameOf(groups []int) string {
	var b strings.Builder
	for _, g := range groups {
		b.WriteString(strconv.Itoa(g))
		b.WriteByte(' ')
	}
	return b.String()
}

// places are the rows of groups, each once.
func (r *rows) places(groups []int) []int {
	if len(groups) == 1 {
		return r.of[groups[0]]
	}
	var places []int
	for _, g := range groups {
		places = append(places, r.of[g]...)
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// arrange puts the rows in order, once all are there.
func (r *rows) arrange() {
	q := feed.Query{Table: r.model.Table, Order: r.model.Order}
	slices.SortFunc(r.all, func(a, b loaded) int { return q.Compare(a.row, b.row) })
	for g := range r.of {
		r.of[g] = r.of[g][:0]
	}
	for i := range r.all {
		for _, g := range r.all[i].groups {
			r.of[g] = append(r.of[g], i)
		}
	}
	r.known = map[string][]*Message{}
}

// parts are what a line is sent, which lines in the same groups share.
func (r *rows) parts(line *Line) []*Message {
	groups := r.mine[line]
	name := nameOf(groups)
	if parts, known := r.known[name]; known {
		return parts
	}
	places := r.places(groups)
	var texts []json.RawMessage
	for _, i := range places[:min(len(places), r.model.Limit)] {
		if text := r.text(&r.all[i]); text != nil {
			texts = append(texts, text)
		}
	}
	parts := r.model.snapshot(texts)
	r.known[name] = parts
	return parts
}

// text is a row as a snapshot tells it.
func (r *rows) text(l *loaded) json.RawMessage {
	if l.told {
		return l.text
	}
	l.told = true
	data, err := r.model.Encode(l.row)
	if err != nil {
		r.fail(err)
		return nil
	}
	text := append([]byte(`{"pk":`), r.model.Key(l.row)...)
	text = append(append(text, `,"data":`...), data...)
	text = append(text, '}')
	l.text = text
	return text
}

// snapshot puts rows into payloads of about partSize each, one at least.
func (m *Model) snapshot(texts []json.RawMessage) (parts []*Message) {
	for {
		payload := []byte(`{"action":"snapshot","rows":[`)
		n := 0
		for ; n < len(texts) && (n == 0 || len(payload)+len(texts[n]) < partSize); n++ {
			if n > 0 {
				payload = append(payload, ',')
			}
			payload = append(payload, texts[n]...)
		}
		texts = texts[n:]
		payload = append(payload, ']')
		if len(texts) > 0 {
			payload = append(payload, `,"more":true`...)
		}
		parts = append(parts, NewMessage(append(payload, m.tail...)))
		if len(texts) == 0 {
			return parts
		}
	}
}

func (r *rows) fail(err error) {
	if r.failures++; r.failures == 1 {
		r.failed = err
	}
}

// complain logs what is not right with the rows.
func (r *rows) complain(ctx context.Context) {
	log := r.out.cfg.Logger
	if r.failures > 0 {
		log.ErrorContext(ctx, "rows of a binding could not be told: subscriptions begin without them",
			"binding", r.model.Stream, "rows", r.failures, "error", r.failed)
	}
	if r.shortened {
		log.WarnContext(ctx, "not all rows of a table were looked at for those that a subscription begins with: give the binding a smaller Limit, or an OrderBy by which they come first",
			"binding", r.model.Stream, "table", r.model.Table.Name, "rows", r.examined)
	}
}
