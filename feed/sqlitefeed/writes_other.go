//go:build !linux

package sqlitefeed

import (
	"context"
	"errors"
)

// watchWrites has no cheap means on this system; looking often takes its
// place.
func watchWrites(context.Context, string) (hints <-chan struct{}, wait func(), err error) {
	return nil, nil, errors.ErrUnsupported
}
