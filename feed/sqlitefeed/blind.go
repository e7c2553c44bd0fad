package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/pando-sync/pando/schema"
)

// blindSpots are what an author may have declared that can keep a change out
// of the log, each with the query that finds it for a table and the mend.
var blindSpots = []struct{ sql, warning string }{
	{
		`SELECT DISTINCT i.name FROM pragma_index_list(?1) AS i, pragma_index_xinfo(i.name) AS x WHERE i."unique" AND x.cid = -2`,
		"a row that REPLACE displaces through a unique index over an expression is in no log: set PRAGMA recursive_triggers=1 on every connection that writes",
	},
	{
		`SELECT t.name FROM sqlite_schema AS t, pragma_foreign_key_list(t.tbl_name) AS f
			WHERE t.type = 'trigger' AND t.sql LIKE '%RAISE%(%FAIL%' AND f."table" = ?1 COLLATE NOCASE
			AND (f.on_update NOT IN ('NO ACTION', 'RESTRICT') OR f.on_delete NOT IN ('NO ACTION', 'RESTRICT'))`,
		"a trigger that a cascade fires and that calls RAISE(FAIL) can leave the parent's change in the table and out of the log: call RAISE(ABORT)",
	},
}

// warnOfBlindSpots logs what may keep changes of tables from being seen.
func (s *Source) warnOfBlindSpots(ctx context.Context, c *conn, tables []*schema.Table) error {
	for _, table := range tables {
		for _, spot := range blindSpots {
			err := c.query(ctx, spot.sql, bind(table.Name), func(row []driver.Value) error {
				s.log.Warn(spot.warning, "table", table.Name, "name", textIn(row[0]))
				return nil
			})
			if err != nil {
				return fmt.Errorf("look for what hides changes of table %q: %w", table.Name, err)
			}
		}
	}
	return nil
}
