package bind

import (
	"context"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/schema"
)

// tellAll tells what the first commit of a batch has made of the rows of each
// model.
func (o *Outbound) tellAll(ctx context.Context, b *batch) {
	one := &b.items[0]
	rows, at := net(one.changes), &feed.Commit{Position: one.position, Transaction: one.transaction}
	for _, m := range o.cfg.Models {
		if o.has(m) {
			t := telling{out: o, model: m, at: one.position, left: o.left(), members: map[string][]*Line{}}
			if m.ways == nil {
				t.rows(ctx, rows)
			} else {
				t.full(ctx, b, rows)
			}
		}
		// Behind what the lines were told: who reads takes both.
		o.loads[m].record(at, rows)
	}
}

// telling is the work on one commit for one model.
type telling struct {
	out   *Outbound
	model *Model
	at    feed.Position
	left  uint64 // the last departure before members were looked for
	// members are the lines of the members of each group, as the first row of the
	// commit that is of the group finds them.
	members map[string][]*Line
	// unknown tells that there is a row of which it is not known to whom it is told,
	// failed is what the author's functions returned first, and failures how often.
	unknown  bool
	failed   error
	failures int
}

// rows tells of those of the model.
func (t *telling) rows(ctx context.Context, rows []changed) {
	for i := range rows {
		if c := &rows[i]; c.table == t.model.Table && !c.same() {
			t.row(c)
		}
	}
	t.finish(ctx)
}

// full tells of those of a model with many-to-many relations.
func (t *telling) full(ctx context.Context, b *batch, rows []changed) {
	whole, err := b.whole(ctx, t.model, rows)
	if err != nil {
		t.unknown = true
		t.fail(err)
	}
	t.rows(ctx, whole)
}

// row tells of a row: where two of its groups have a line in common, once.
func (t *telling) row(c *changed) {
	if c.unknown {
		t.unknown = true
		return
	}
	old, err := t.model.Groups(c.old)
	var now []string
	if err == nil {
		now, err = t.model.Groups(c.now)
	}
	if err != nil {
		t.unknown = true
		t.fail(err)
		return
	}
	left, entered, stayed := t.among(old, now)
	t.say(Delete, c.old, left)
	t.say(Create, c.now, entered)
	t.say(Update, c.now, stayed)
}

// among are the lines that are in the groups before only, after only, and in
// both.
func (t *telling) among(old, now []string) (left, entered, stayed []*Line) {
	switch {
	case len(old) == 0 && len(now) == 1:
		return nil, t.in(now[0]), nil
	case len(old) == 1 && len(now) == 0:
		return t.in(old[0]), nil, nil
	case len(old) == 1 && len(now) == 1 && old[0] == now[0]:
		return nil, nil, t.in(now[0])
	}
	const was, is = 1, 2
	at := map[*Line]int{}
	var order []*Line
	note := func(groups []string, what int) {
		for _, name := range groups {
			for _, l := range t.in(name) {
				if at[l] == 0 {
					order = append(order, l)
				}
				at[l] |= what
			}
		}
	}
	note(old, was)
	note(now, is)
	for _, l := range order {
		switch at[l] {
		case was:
			left = append(left, l)
		case is:
			entered = append(entered, l)
		default:
			stayed = append(stayed, l)
		}
	}
	return left, entered, stayed
}

// in are the lines of a group's members, each once.
func (t *telling) in(name string) []*Line {
	if lines, known := t.members[name]; known {
		return lines
	}
	var lines []*Line
	t.out.cfg.Groups.Each(name, func(m group.Member) {
		lines = append(lines, t.out.linesAt(place{m, t.model})...)
	})
	t.members[name] = lines
	return lines
}

// say tells lines what has become of a row. Where that cannot be encoded they are
// told of a gap.
func (t *telling) say(op Op, row schema.Row, lines []*Line) {
	if len(lines) == 0 {
		return
	}
	payload, err := t.model.Told(op, row)
	if err != nil {
		t.fail(err)
		for _, l := range lines {
			l.Gap()
		}
		return
	}
	n := &news{position: t.at, message: NewMessage(payload), left: t.left}
	for _, l := range lines {
		l.tell(n)
	}
}

func (t *telling) fail(err error) {
	if t.failures++; t.failures == 1 {
		t.failed = err
	}
}

// finish tells of a gap where somebody may have been told too little.
func (t *telling) finish(ctx context.Context) {
	log := t.out.cfg.Logger
	if t.failures > 0 {
		log.ErrorContext(ctx, "rows of a binding could not be told: those concerned are told of a gap",
			"binding", t.model.Stream, "rows", t.failures, "error", t.failed)
	}
	if !t.unknown {
		return
	}
	if t.failures == 0 {
		log.WarnContext(ctx, "the feed does not tell what rows of a binding were: its streams are told of a gap", "binding", t.model.Stream)
	}
	t.out.gap(t.model)
}
