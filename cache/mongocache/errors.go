package mongocache

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/pando-sync/pando/cache"
)

// Errors of a Store, beside those of its port.
var (
	// ErrUnreachable is wrapped by errors of calls that no server has answered.
	ErrUnreachable = errors.New("mongocache: the server does not answer: see that it runs and that Config.URI names it")
	// ErrRefused is wrapped by errors of calls that the server does not let the
	// user make.
	ErrRefused = errors.New("mongocache: the server refuses the user: see the user and password in Config.URI, and that the user has the role readWrite on the database")
)

// What the server answers that the user may not do.
const (
	unauthorized         = 13
	authenticationFailed = 18
)

// heard is an error of the caller's, which is nobody else's fault.
type heard struct{ error }

func (h heard) Unwrap() error { return h.error }

// explain adds to an error what can be done about it.
func explain(err error) error {
	var said mongo.ServerError
	var own heard
	switch {
	case errors.As(err, &own):
		return own.error
	case errors.Is(err, cache.ErrClosed), errors.Is(err, cache.ErrConflict), errors.Is(err, cache.ErrGone), errors.Is(err, cache.ErrTooLarge):
		return err
	case errors.Is(err, ErrUnreachable), errors.Is(err, errDocument), errors.Is(err, context.Canceled):
		return err
	case mongo.IsNetworkError(err), mongo.IsTimeout(err), !errors.As(err, &said):
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case said.HasErrorCode(unauthorized), said.HasErrorCode(authenticationFailed):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	default:
		return err
	}
}

// errDocument is wrapped by errors about documents that are none of a Store's.
var errDocument = errors.New("mongocache: a document is not as this release writes it: give the app a Config.Prefix of its own, or drop the collections")
