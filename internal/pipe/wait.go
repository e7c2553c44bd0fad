package pipe

// waiter waits until the scopes have said everything up to a version. done is
// called once, with the mutex held; passed is false where they will not say it.
type waiter struct {
	version uint64
	scopes  []*Scope
	done    func(passed bool)
}

// Wait calls done once the scopes have said, in their logs, everything up to
// version; at once when they have. done is called with the pipe's mutex held:
// it must not block or call the pipe. It is also called when continuity is
// lost, since what was waited for will not come: passed is false then.
func (p *Pipe) Wait(version uint64, scopes []*Scope, done func(passed bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wait(&waiter{version, scopes, done})
}

func (p *Pipe) wait(w *waiter) {
	if lost := p.router == nil || p.broken != nil; lost || p.passed(w) {
		w.done(!lost)
		return
	}
	p.waiters = append(p.waiters, w)
}

func (p *Pipe) passed(w *waiter) bool {
	if p.router.Position() < w.version {
		return false
	}
	for _, s := range w.scopes {
		// One that was given up says nothing more: nobody may wait for it.
		if s.life == p.life && !s.closed && !s.route.Ready() {
			return false
		}
	}
	return true
}

func (p *Pipe) answerWaiters() {
	if len(p.waiters) == 0 {
		return
	}
	rest := p.waiters[:0]
	for _, w := range p.waiters {
		if p.passed(w) {
			w.done(true)
		} else {
			rest = append(rest, w)
		}
	}
	clear(p.waiters[len(rest):])
	p.waiters = rest
}
