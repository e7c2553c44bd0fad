package feed

import (
	"context"

	"github.com/pando-sync/pando/schema"
)

// Checker is a Source that tells beforehand what Setup would find.
type Checker interface {
	// Check tells whether all that Setup puts in place for tables is there
	// already. It changes nothing, and needs no Setup before it. Its error has
	// all that Setup would refuse, joined.
	Check(ctx context.Context, tables []*schema.Table) (ready bool, err error)
}
