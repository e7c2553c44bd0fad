package feed

import "context"

// Historian is a Source that keeps what was committed for some time, so that
// what somebody knows since before the Run began can be brought up to date
// without reading it again.
type Historian interface {
	Source
	// History calls fn for the commits after a position of an epoch, in order and
	// in parts as a Sink gets them. It goes at least up to the head of the last
	// Start that Run has told; what it tells beyond that the Sink gets, too. fn must
	// not keep it waiting for the Sink. It stops at fn's first error and returns it.
	//
	// complete tells that fn has got all of them. It is false when some are not
	// kept any more, when the epoch is not that of the last Start, or when Run told
	// another Start meanwhile: what fn got is void then.
	History(ctx context.Context, epoch string, after Position, fn func(*Commit) error) (complete bool, err error)
}
