package pgfeed

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// guardEvery is how often the catalog is looked at.
	guardEvery = time.Second
	// guardPatience is for how long tables may not be as they are declared, as
	// while a migration is half done.
	guardPatience = 10 * time.Second
	// leavePatience is how long the last note of an owner may take.
	leavePatience = time.Second
)

// guard looks at what no message of the log tells: a table that was dropped and
// made again is not published any more, and one that was rewritten by ALTER TABLE
// has other values; a partition that is attached, detached or truncated brings or
// takes rows; and a new epoch may be begun.
type guard struct {
	source *Source
	log    *restarts
	began  string // the epoch

	// turn is held by a look, and guards what follows.
	turn  sync.Mutex
	known facts
	// keep is the owner's term, by which what is known is noted for the next one,
	// and kept what was noted; 0 where there is no owner.
	keep uint64
	kept facts
	// failing is since when the tables have not been as they are declared, refused
	// tells that this could not be looked at.
	failing time.Time
	refused bool
}

// facts are what the catalog says about the published tables: those in which a
// table's rows or their values lie, to which table they belong.
type facts map[fact]bool

// fact is one of them.
type fact struct {
	table uint32
	// kind is t for the table, c for a column, p for a file of rows, the table's own
	// or that of a partition, i for one of those whose old rows the log carries, and k
	// for one whose rows have no key by which the log could name them.
	kind, text string
}

const factsQuery = `WITH published AS (
		SELECT r.prrelid AS oid FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid WHERE p.pubname = $1::text
		UNION SELECT t.tgrelid FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid JOIN pg_namespace n ON n.oid = f.pronamespace
			WHERE t.tgname = 'pando_log' AND t.tgparentid = 0 AND t.tgenabled = 'A' AND n.nspname = $2::text)
	SELECT c.oid, 't', n.nspname || '.' || c.relname FROM published JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
	UNION ALL SELECT published.oid, 'p', l.relid::oid || ' ' || coalesce(pg_relation_filenode(l.relid), 0)
		FROM published CROSS JOIN LATERAL (SELECT published.oid AS relid UNION SELECT t.relid::oid FROM pg_partition_tree(published.oid) t) l
	UNION ALL SELECT published.oid, 'i', l.oid::text
		FROM published CROSS JOIN LATERAL (SELECT published.oid UNION SELECT t.relid::oid FROM pg_partition_tree(published.oid) t) l JOIN pg_class c ON c.oid = l.oid
		WHERE c.relreplident = 'f'
	UNION ALL SELECT r.prrelid, 'k', l.oid::text FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
		CROSS JOIN LATERAL (SELECT r.prrelid UNION SELECT t.relid::oid FROM pg_partition_tree(r.prrelid) t) l (oid) JOIN pg_class c ON c.oid = l.oid
		WHERE p.pubname = $1::text AND c.relkind = 'r' AND c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid
			AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident))
	UNION ALL SELECT published.oid, 'c', concat_ws(' ', a.attname, a.atttypid, a.atttypmod,
			(SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.oid) FROM pg_enum e WHERE e.enumtypid = a.atttypid))
		FROM published JOIN pg_attribute a ON a.attrelid = published.oid AND a.attnum > 0 AND NOT a.attisdropped`

func (s *Source) readFacts(ctx context.Context) (facts, error) {
	rows, err := s.db.QueryContext(ctx, factsQuery, s.publication(), s.schema)
	if err != nil {
		return nil, fmt.Errorf("look at the published tables: %w", err)
	}
	defer rows.Close()
	all := make(facts)
	for rows.Next() {
		var f fact
		if err := rows.Scan(&f.table, &f.kind, &f.text); err != nil {
			return nil, fmt.Errorf("look at the published tables: %w", err)
		}
		f.text = strings.ReplaceAll(f.text, "\n", " ")
		all[f] = true
	}
	return all, rows.Err()
}

// changed tells which table is not as it was, "" for none: something of it is
// gone, or it has a partition more. That a table is new, or has a new column, is
// nothing to those who know the others, nor is that it has a key again, or that the log
// does not carry old rows any more where full says that nobody needs them.
func (known facts) changed(now facts, full func(table uint32) bool) (table string) {
	titles := make(map[uint32]string)
	for f := range known {
		if f.kind == "t" {
			titles[f.table] = f.text
		}
	}
	for f := range known {
		if !now[f] && f.kind != "k" && (f.kind != "i" || full(f.table)) {
			return titles[f.table]
		}
	}
	for f := range now {
		if f.kind == "p" && !known[f] && titles[f.table] != "" {
			return titles[f.table]
		}
	}
	return ""
}

// needsFull tells whether the log has to carry the whole of a table's old rows.
func (s *Source) needsFull(oid uint32) bool {
	known, err := s.described()
	if err != nil {
		return false // nothing is followed
	}
	t := known.byOID[oid]
	return t != nil && s.isFull(t.declared)
}

// newGuard takes what the catalog says now for what the log's beginning goes by.
func (s *Source) newGuard(ctx context.Context, log *restarts) (*guard, error) {
	known, err := s.readFacts(ctx)
	if err != nil {
		return nil, err
	}
	epoch, err := s.Epoch(ctx)
	return &guard{source: s, log: log, known: known, began: epoch}, err
}

// watch looks at the catalog until end is called. The context that it returns
// ends when the log cannot be followed any more.
func (g *guard) watch(ctx context.Context) (watched context.Context, end func()) {
	ctx, stop := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pause(ctx, guardEvery) == nil {
			if err := g.look(ctx); err != nil {
				stop(err)
			}
		}
	}()
	return ctx, func() {
		stop(nil)
		<-done
	}
}

// look compares the catalog with what it was.
func (g *guard) look(ctx context.Context) error {
	epoch, err := g.source.Epoch(ctx)
	if err != nil {
		return nil // the stream itself tells when the server is away
	}
	if epoch != g.began {
		return &restartError{"another epoch of the database was begun"}
	}
	g.turn.Lock()
	defer g.turn.Unlock()
	now, err := g.source.readFacts(ctx)
	if err != nil {
		return nil // the same
	}
	changed := g.known.changed(now, g.source.needsFull)
	if changed == "" && g.failing.IsZero() {
		return g.note(ctx, now)
	}
	if ok, err := g.repair(ctx); !ok || err != nil {
		return err
	}
	// What was put back is part of what is known from now on.
	if now, err = g.source.readFacts(ctx); err != nil {
		return nil // the same
	}
	g.log.startAnew(fmt.Sprintf("the table %s was rebuilt, or its columns, partitions, enums or identity were changed", changed))
	g.source.hasten(g.source.wake.next())
	return g.note(ctx, now)
}

// catchUp goes on from what the catalog says now, since all is read again: what was
// changed before need not be told once more.
func (g *guard) catchUp(ctx context.Context) error {
	g.turn.Lock()
	defer g.turn.Unlock()
	now, err := g.source.readFacts(ctx)
	if err != nil || maps.Equal(g.known, now) {
		return nil // the stream itself tells when the server is away
	}
	return g.putBack(ctx)
}

// restore puts back what lacks, whatever is known: tables may have been made again
// while nobody looked.
func (g *guard) restore(ctx context.Context) error {
	g.turn.Lock()
	defer g.turn.Unlock()
	return g.putBack(ctx)
}

func (g *guard) putBack(ctx context.Context) error {
	if ok, err := g.repair(ctx); !ok || err != nil {
		return err
	}
	now, err := g.source.readFacts(ctx)
	if err != nil {
		return nil //nolint:nilerr // the stream itself tells when the server is away
	}
	return g.note(ctx, now)
}

// note goes on from what the catalog says now.
func (g *guard) note(ctx context.Context, now facts) error {
	g.warnOfKeys(now)
	g.known = now
	g.keepKnown(ctx)
	return nil
}

// warnOfKeys tells of tables that have lost their key, or another identity:
// PostgreSQL refuses the author's own updates then.
func (g *guard) warnOfKeys(now facts) {
	before, lost := g.known.keyless(), now.keyless()
	for f := range now {
		if f.kind == "t" && lost[f.table] && !before[f.table] {
			g.source.log.Warn("a followed table has neither a primary key nor another replica identity any more, so that PostgreSQL refuses to update it: ALTER TABLE … ADD PRIMARY KEY", "table", f.text)
		}
	}
}

// keyless are the tables with rows that have no key by which the log names them.
func (known facts) keyless() map[uint32]bool {
	tables := make(map[uint32]bool)
	for f := range known {
		if f.kind == "k" {
			tables[f.table] = true
		}
	}
	return tables
}

// keepKnown notes what is known for the next owner, once all that followed from it
// is stored: who owns the log after a crash has to tell the rest again.
func (g *guard) keepKnown(ctx context.Context) {
	if g.keep == 0 || maps.Equal(g.kept, g.known) || !g.log.settled() {
		return
	}
	if err := g.source.keepFacts(ctx, g.known, g.keep); err != nil {
		return // it is noted next time, or all is told again
	}
	g.kept = g.known
}

// leave keeps what is known, as the log is left.
func (g *guard) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leavePatience)
	defer cancel()
	g.turn.Lock()
	defer g.turn.Unlock()
	g.keepKnown(ctx)
}

// String writes the facts a line each.
func (known facts) String() string {
	lines := make([]string, 0, len(known))
	for f := range known {
		lines = append(lines, strconv.FormatUint(uint64(f.table), 10)+" "+f.kind+" "+f.text)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// parseFacts is the inverse of String.
func parseFacts(text string) facts {
	known := make(facts)
	for line := range strings.SplitSeq(text, "\n") {
		table, rest, _ := strings.Cut(line, " ")
		kind, text, _ := strings.Cut(rest, " ")
		if id, err := strconv.ParseUint(table, 10, 32); err == nil {
			known[fact{uint32(id), kind, text}] = true
		}
	}
	return known
}

// repair publishes declared tables that were made again, and bears with a
// migration that is half done.
func (g *guard) repair(ctx context.Context) (ok bool, err error) {
	s := g.source
	s.mu.Lock()
	tables := s.tables
	s.mu.Unlock()
	switch err = s.Setup(ctx, tables); {
	case err == nil:
		g.failing, g.refused = time.Time{}, false
		return true, nil
	case ctx.Err() != nil:
		return false, nil //nolint:nilerr // the end was asked for
	case passes(err): // which says nothing about the tables
		if !g.refused {
			g.refused = true
			s.log.Warn("cannot put the followed tables in order for now; trying again", "error", err)
		}
		return false, nil
	case g.failing.IsZero():
		g.failing = time.Now()
		s.log.Warn("the followed tables are not as they are declared; looking again", "error", err)
		return false, nil
	case time.Since(g.failing) > cmp.Or(s.patience, guardPatience):
		return false, &brokenError{err}
	default:
		return false, nil
	}
}
