package route

import "github.com/pando-sync/pando/schema"

// Ask is a judgement that is wanted: whether a row is visible in the list of a
// private scope. Each is answered by one call of Judge, those of one key in
// their order. Columns of Row that are made of related rows may be NULL: those
// are read for rows that are shown.
type Ask struct {
	Scope *Scope
	Key   schema.Value
	Row   schema.Row
}

// verdict is what is known of a row's judgement.
type verdict struct {
	visible bool
	// open is the number of judgements that were asked for and have not come;
	// the last one counts.
	open int
	// gone tells that the row is not of the list any more: what still comes is
	// not waited for.
	gone bool
}

// Ask has every row of the list of a private scope judged before it is shown,
// from now on; those that are present are asked for again, and the scope waits
// until all are answered.
func (t *Router) Ask(s *Scope) {
	p, n := s.pick(), s.shape.root
	if s.closed {
		return
	}
	t.settle()
	var met map[*row]struct{}
	w := walker{target: s}
	w.roots(func(r *row) {
		if r.vals == nil || !s.wanted(n, r.vals) || !first(&met, r) {
			return
		}
		v := p.verdicts[r.key]
		if v == nil {
			v = &verdict{visible: !p.judged}
			p.verdicts[r.key] = v
		}
		t.ask(s, r, v)
	})
	p.judged = true
}

func (t *Router) ask(s *Scope, r *row, v *verdict) {
	if v.open == 0 || v.gone {
		s.waits++
	}
	v.gone = false
	v.open++
	t.asks = append(t.asks, Ask{Scope: s, Key: r.key, Row: r.vals})
}

// Asks returns the judgements that are wanted since the last call.
func (t *Router) Asks() []Ask {
	asks := t.asks
	t.asks = nil
	return asks
}

// Judge answers one Ask.
func (t *Router) Judge(s *Scope, key schema.Value, visible bool) {
	p := s.pick()
	v := p.verdicts[key]
	if v == nil || v.open == 0 || s.closed {
		return
	}
	v.open--
	switch {
	case v.open > 0:
	case v.gone:
		delete(p.verdicts, key)
	default:
		s.waits--
		if v.visible != visible {
			t.alter(s.shape.root.table.row(key), s, func() { v.visible = visible })
		}
	}
}

// consider has the turn's end look whether a row needs to be judged.
func (t *Router) consider(s *Scope, r *row) {
	p := s.picks
	if !p.judged {
		return
	}
	p.considered = append(p.considered, r)
	if !p.unsettled {
		p.unsettled = true
		t.judged = append(t.judged, s)
	}
}

// settleJudged asks for the rows that have come into a list this turn, and
// gives up those that have gone.
func (t *Router) settleJudged(s *Scope) {
	p, n := s.picks, s.shape.root
	p.unsettled = false
	considered := p.considered
	p.considered = nil
	if s.closed {
		return
	}
	for _, r := range considered {
		in := r.vals != nil && r.members.get(s, n) != nil && s.wanted(n, r.vals)
		v := p.verdicts[r.key]
		switch {
		case in && v == nil:
			v = &verdict{}
			p.verdicts[r.key] = v
			t.ask(s, r, v)
		case in && v.gone:
			t.ask(s, r, v)
		case !in && v != nil && v.open == 0:
			delete(p.verdicts, r.key)
		case !in && v != nil && !v.gone:
			v.gone, v.visible = true, false
			s.waits--
		}
	}
}

// settle ends what the turn has left open in lists, so that all that they show
// is linked.
func (t *Router) settle() {
	for len(t.windows)+len(t.judged) > 0 {
		windows, judged := t.windows, t.judged
		t.windows, t.judged = nil, nil
		for _, w := range windows {
			t.settleWindow(w)
		}
		for _, s := range judged {
			t.settleJudged(s)
		}
	}
}
