package feed

import (
	"context"

	"github.com/pando-sync/pando/schema"
)

// Printer is a Source whose Setup somebody else may carry out, by SQL.
type Printer interface {
	// Print returns the statements that Setup would run now for tables, none when
	// all is in place. It changes nothing, and needs no Setup before it.
	Print(ctx context.Context, tables []*schema.Table) ([]string, error)
	// Grants returns the statements that give a role, which owns nothing, what an
	// app needs at run time; none where the database has no roles.
	Grants(ctx context.Context, tables []*schema.Table, role string) ([]string, error)
}

// Uninstaller is a Source that removes what Setup has put in place.
type Uninstaller interface {
	// Uninstall removes all that Pando has created in the database, and leaves what
	// is the author's. Nothing may follow the database meanwhile.
	Uninstall(ctx context.Context) error
}

// Renewer is a Source whose history can be begun anew, as after the database was
// restored from a copy: positions that were told before mean nothing then.
type Renewer interface {
	// Renew begins another epoch. Feeds that are running start again by themselves.
	// Setup must have returned before.
	Renew(ctx context.Context) error
}

// As finds the T that a source is, or that the source within it is: one that is made
// of another has a method Unwrap() Source.
func As[T any](s Source) (found T, ok bool) {
	for {
		if found, ok = s.(T); ok {
			return found, true
		}
		outer, wraps := s.(interface{ Unwrap() Source })
		if !wraps {
			return found, false
		}
		s = outer.Unwrap()
	}
}
