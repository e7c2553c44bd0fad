package peer

import (
	"fmt"

	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/state"
)

// part is one stream's copy of one of its scopes. The frames of a scope that
// several streams of a connection show come once and go to a part of each,
// because each reads them by the types of its own tree. Parts are changed by
// the client's reader only, under the stream's mutex.
type part struct {
	stream  *Stream
	decoder *wire.Decoder
	store   *state.Store
	loading *state.Store // the snapshot that is coming in, nil if none is
	epoch   string
	version uint64
	whole   bool // a snapshot has come in wholly
	// awaiting tells that the server will send a snapshot, of the history
	// arriving; until it is whole the part is what was held before.
	awaiting bool
	arriving string
}

// attach readies the part for the frames that follow: a snapshot, or, resumed,
// those after its version. A scope that another stream of the connection shows
// is taken over from its part, nil if there is none.
func (p *part) attach(d *wire.Decoder, epoch string, resumed bool, shared *part) error {
	p.decoder, p.loading = d, nil
	if shared != nil {
		if err := p.adopt(shared); err != nil {
			return err
		}
	} else {
		p.awaiting, p.arriving = !resumed, epoch
	}
	if resumed && !p.whole && !p.awaiting {
		return fmt.Errorf("the server goes on with what was never held")
	}
	return nil
}

// adopt makes the part what another stream's is.
func (p *part) adopt(of *part) error {
	store, err := p.decoder.Adopt(of.decoder, of.store)
	if err != nil {
		return &Error{Code: "schema", Message: "a stream of the connection that shares the scope has another struct: " +
			err.Error() + ": open the one that knows more first"}
	}
	if of.loading != nil {
		if p.loading, err = p.decoder.Adopt(of.decoder, of.loading); err != nil {
			return err
		}
	}
	if p.epoch == of.epoch && of.version < p.version && !of.awaiting {
		return p.backwards(of.version)
	}
	p.store, p.epoch, p.version, p.whole = store, of.epoch, of.version, of.whole
	p.awaiting, p.arriving = of.awaiting, of.arriving
	return nil
}

// complete tells whether the part is of one version as a whole.
func (p *part) complete() bool { return p.whole && !p.awaiting }

// feed applies a state frame.
func (p *part) feed(f *wire.StateFrame) error {
	into := p.store
	switch f.Snapshot {
	case "first", "only":
		p.loading = state.NewStore()
		into = p.loading
	case "more", "last":
		if into = p.loading; into == nil {
			return fmt.Errorf("%s part of a snapshot that has not begun", f.Snapshot)
		}
	default:
		if p.loading != nil {
			return fmt.Errorf("patch %d between the parts of a snapshot", f.V)
		}
		if f.V < p.version {
			return p.backwards(f.V)
		}
	}
	if err := p.decoder.Apply(f, into); err != nil {
		return fmt.Errorf("bad frame: %w", err)
	}
	switch f.Snapshot {
	case "first", "more":
		return nil // what is held is still of the old version
	case "only", "last":
		p.store, p.loading, p.whole = p.loading, nil, true
		p.epoch, p.awaiting = p.arriving, false
	}
	p.version = f.V
	return nil
}

func (p *part) backwards(to uint64) error {
	return fmt.Errorf("a scope went back in time, from version %d to %d", p.version, to)
}
