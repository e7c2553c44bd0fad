package pipe

import (
	"context"
	"time"

	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/schema"
)

// cacheReaders is the number of reads of the cache made at once: most of their
// time they wait.
const cacheReaders = 16

// keep runs the cache until ctx ends, if there is one; kept is closed when it has
// ended.
func (p *Pipe) keep(ctx context.Context) (kept <-chan struct{}) {
	done := make(chan struct{})
	if p.cfg.Cache == nil {
		close(done)
		return done
	}
	for range cacheReaders {
		p.wg.Go(func() { p.readCache(ctx) })
	}
	p.wg.Go(func() {
		defer close(done)
		p.cfg.Cache.Run(ctx, p.between)
	})
	return done
}

// rootKey is a value by which the first layer of a tree is read.
type rootKey struct {
	layer *schema.Layer
	value schema.Value
}

// cached notes that a new scope may be opened from the cache. The mutex is held.
func (p *Pipe) cached(k route.Key) {
	if p.cfg.Cache == nil || !p.cfg.Cache.Caches(k) {
		return
	}
	for _, v := range rootValues(k) {
		p.cachedRoots[rootKey{k.Tree.Root, v}] = k
	}
}

// uncached forgets that the cache is to be asked for a scope. The mutex is held.
func (p *Pipe) uncached(k route.Key) {
	if len(p.cachedRoots) == 0 {
		return
	}
	for _, v := range rootValues(k) {
		if r := (rootKey{k.Tree.Root, v}); p.cachedRoots[r] == k {
			delete(p.cachedRoots, r)
		}
	}
}

// rootValues are the values by which the rows of a scope's first layer are read.
func rootValues(k route.Key) []schema.Value {
	if k.Tree.Root.Relation == schema.List {
		return k.Tree.ListValues(k.Env.Parts())
	}
	return []schema.Value{k.Anchor}
}

// warmJob is wants that the cache may answer, all of the first layers of scopes.
type warmJob struct {
	life  int
	asked time.Time
	wants []route.Want
	keys  []route.Key
}

// askCache hands those of the wants to the cache that it may answer, and returns
// the others.
func (p *Pipe) askCache(wants []route.Want) (rest []route.Want) {
	if len(p.cachedRoots) == 0 {
		return wants
	}
	j := warmJob{life: p.life, asked: time.Now()}
	named := map[route.Key]bool{}
	for i := range wants {
		w := wants[i]
		if w.Layer.Parent != nil || w.Window != nil || w.Column != route.ReadColumn(w.Layer) {
			rest = append(rest, w)
			continue
		}
		known, others := w, w
		known.Values, others.Values = nil, nil
		for _, v := range w.Values {
			if k, ok := p.cachedRoots[rootKey{w.Layer, v}]; ok {
				known.Values = append(known.Values, v)
				if !named[k] {
					named[k] = true
					j.keys = append(j.keys, k)
				}
			} else {
				others.Values = append(others.Values, v)
			}
		}
		if len(known.Values) > 0 {
			j.wants = append(j.wants, known)
		}
		if len(others.Values) > 0 {
			rest = append(rest, others)
		}
	}
	if len(j.wants) == 0 {
		return wants
	}
	select {
	case p.warm <- j:
	default:
		return p.failSome(j.wants, rest)
	}
	for i := range j.wants {
		for _, v := range j.wants[i].Values {
			delete(p.cachedRoots, rootKey{j.wants[i].Layer, v})
		}
	}
	if len(rest) > 0 {
		p.router.Fork()
	}
	return rest
}

// failSome takes wants back: they are asked for in a later turn.
func (p *Pipe) failSome(wants, rest []route.Want) []route.Want {
	if len(rest) > 0 {
		p.router.Fork()
	}
	p.router.Failed(wants)
	return rest
}

// readCache answers by the cache until ctx ends.
func (p *Pipe) readCache(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-p.warm:
			read, rest := p.openCached(ctx, &j)
			if ctx.Err() != nil {
				return
			}
			p.tookCached(&j, read, rest)
		}
	}
}

// openCached reads what the cache knows, and returns what is left.
func (p *Pipe) openCached(ctx context.Context, j *warmJob) (read *route.Read, rest []route.Want) {
	snap := p.cfg.Cache.Open(ctx, j.keys, j.asked)
	if snap == nil {
		return nil, j.wants
	}
	var wants []route.Want
	for _, w := range j.wants {
		known, others := w, w
		known.Values = snap.Covered(w.Layer, w.Column, w.Values)
		others.Values = without(w.Values, known.Values)
		if len(known.Values) > 0 {
			wants = append(wants, known)
		}
		if len(others.Values) > 0 {
			rest = append(rest, others)
		}
	}
	read, err := snapshot.Read(ctx, snap, wants)
	if err != nil || !snap.Holds() {
		return nil, j.wants
	}
	return read, rest
}

// without are those of the values, in their order, that are not in some, which
// are of the same order.
func without(values, some []schema.Value) (rest []schema.Value) {
	for _, v := range values {
		if len(some) > 0 && some[0] == v {
			some = some[1:]
		} else {
			rest = append(rest, v)
		}
	}
	return rest
}

// tookCached takes a read of the cache in, and has the database asked for the
// rest.
func (p *Pipe) tookCached(j *warmJob, read *route.Read, rest []route.Want) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if j.life != p.life {
		return
	}
	if len(rest) > 0 {
		if read != nil {
			p.router.Fork()
		}
		p.askDatabase(rest)
	}
	if read != nil {
		p.ahead = append(p.ahead, read)
	}
	p.turn()
}

// between runs fn between two turns, unless there is no router.
func (p *Pipe) between(fn func(*route.Router)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.router == nil || p.broken != nil {
		return false
	}
	fn(p.router)
	return true
}
