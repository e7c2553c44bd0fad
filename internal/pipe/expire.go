package pipe

import (
	"context"
	"fmt"

	"github.com/pando-sync/pando/feed"
)

// Expire forgets all that is in memory, as when continuity is lost, but for the
// versions: sessions are closed by Config.Lost and read their scopes anew. It
// waits for a moment between commits at which reads see all that the feed has
// told, so that none is missed by who opens next.
func (p *Pipe) Expire(ctx context.Context) error {
	if p.cfg.Cache != nil {
		p.cfg.Cache.Rest()
	}
	for {
		last, ok := p.lastCommit()
		if !ok {
			return fmt.Errorf("expire: %w", ErrUnavailable)
		}
		if err := p.visible(ctx, last); err != nil {
			return fmt.Errorf("expire: %w", err)
		}
		if p.restart(last) {
			p.cfg.Logger.InfoContext(ctx, "all that was in memory has expired")
			p.cfg.Lost("expired")
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("expire: %w", err)
		}
	}
}

func (p *Pipe) lastCommit() (last *feed.Commit, running bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.router != nil && p.broken == nil
}

// restart begins anew unless there was another commit, or one is under way.
func (p *Pipe) restart(last *feed.Commit) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != last || p.staging {
		return false
	}
	p.begin(p.epoch, p.router.Position(), false)
	return true
}
