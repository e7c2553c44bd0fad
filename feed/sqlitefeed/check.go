package sqlitefeed

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

var _ feed.Checker = (*Source)(nil)

// Check implements feed.Checker.
func (s *Source) Check(ctx context.Context, tables []*schema.Table) (ready bool, err error) {
	f, err := locate(ctx, s.author)
	if err != nil {
		return false, fmt.Errorf("check the database: %w", err)
	}
	c, err := f.open(ctx, true)
	if err != nil {
		return false, fmt.Errorf("check the database: %w", err)
	}
	defer func() {
		if e := c.close(); err == nil {
			err = e
		}
	}()
	if err := c.begin(); err != nil {
		return false, fmt.Errorf("check the database: %w", err)
	}
	ready, err = wouldInstall(ctx, c, tables)
	if e := c.end(); err == nil {
		err = e
	}
	return ready, err
}

// wouldInstall is inPlace for a database that may have nothing of ours yet: what
// cannot be followed is told all the same.
func wouldInstall(ctx context.Context, c *conn, tables []*schema.Table) (ready bool, err error) {
	lacking, err := missing(ctx, c, tables)
	if err != nil {
		return false, err
	}
	theirs := slices.DeleteFunc(slices.Clone(tables), func(t *schema.Table) bool {
		return slices.ContainsFunc(lacking, func(own ownTable) bool { return strings.EqualFold(own.name, t.Name) })
	})
	if _, err := c.describeAll(ctx, theirs); err != nil {
		return false, err
	}
	return inPlace(ctx, c, tables)
}
