package pgfeed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// format is the version of what is installed.
const format = 1

// ownTables create Pando's own tables, which have %s for the schema. The generation
// of a database never comes again, even after all was dropped.
var ownTables = []struct {
	name string
	// declared tells that only those need it who declare it.
	declared bool
	create   []string
}{
	{name: "meta", create: []string{
		`CREATE TABLE IF NOT EXISTS %s."meta" (
	id int PRIMARY KEY CHECK (id = 1),
	format int NOT NULL,
	generation bigint NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::bigint,
	term bigint NOT NULL DEFAULT 0,
	facts text NOT NULL DEFAULT ''
)`,
		fmt.Sprintf(`INSERT INTO %%s."meta" (id, format) VALUES (1, %d) ON CONFLICT DO NOTHING`, format),
	}},
	{name: "claims", create: []string{
		`CREATE TABLE IF NOT EXISTS %s."claims" (
	owner text NOT NULL,
	key text NOT NULL,
	print text NOT NULL,
	reply bytea,
	at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (owner, key)
)`,
		`CREATE INDEX IF NOT EXISTS "claims_at" ON %s."claims" (at)`,
	}},
	{name: "messages", declared: true, create: []string{
		`CREATE TABLE IF NOT EXISTS %s."messages" (
	id text PRIMARY KEY,
	topic text NOT NULL,
	kind text NOT NULL,
	body text NOT NULL,
	created_at bigint NOT NULL
)`,
	}},
}

// installation is what is there of Pando in a database, and what lacks.
type installation struct {
	// statements put in place what lacks.
	statements []string
	catalog    *catalog
}

// inspect tells what lacks for tables. Its error has all that cannot be followed,
// joined.
func (s *Source) inspect(ctx context.Context, q asker, tables []*schema.Table) (*installation, error) {
	i := &installation{}
	there, err := s.ownTablesIn(ctx, q)
	if err != nil {
		return nil, err
	}
	if !there[""] {
		i.statements = append(i.statements, "CREATE SCHEMA IF NOT EXISTS "+quote(s.schema))
	}
	theirs := tables
	for _, own := range ownTables {
		if there[own.name] || own.declared && !declaresMessages(tables) {
			continue
		}
		if own.declared {
			theirs = slices.DeleteFunc(slices.Clone(tables), func(t *schema.Table) bool { return t.Name == messagesTable })
		}
		for _, create := range own.create {
			i.statements = append(i.statements, fmt.Sprintf(create, quote(s.schema)))
		}
	}
	if there["meta"] {
		if err := s.checkFormat(ctx, q); err != nil {
			return nil, err
		}
	}
	if i.catalog, err = s.describeAll(ctx, q, theirs); err != nil {
		return nil, err
	}
	for _, name := range s.full {
		if !slices.ContainsFunc(tables, func(t *schema.Table) bool { return t.Name == name }) {
			return nil, mismatchf("WithFullIdentity names the table %q, which no channel declares: name tables as they are declared", name)
		}
	}
	if err := i.checkPartitions(ctx, q); err != nil {
		return nil, err
	}
	if s.logs {
		return i, s.inspectTriggers(ctx, q, i)
	}
	return i, s.inspectPublication(ctx, q, i, len(theirs) < len(tables))
}

// declaresMessages tells whether Pando's table of messages is declared.
func declaresMessages(tables []*schema.Table) bool {
	return slices.ContainsFunc(tables, func(t *schema.Table) bool { return t.Name == messagesTable })
}

// ownTablesIn tells which of Pando's own tables are there, and by "" whether their
// schema is.
func (s *Source) ownTablesIn(ctx context.Context, q asker) (map[string]bool, error) {
	there := make(map[string]bool)
	rows, err := q.QueryContext(ctx, `SELECT '' FROM pg_namespace WHERE nspname = $1::text
		UNION ALL SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1::text AND c.relkind = 'r'`, s.schema)
	if err != nil {
		return nil, fmt.Errorf("look for Pando's tables: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		there[name] = true
	}
	return there, rows.Err()
}

// checkFormat refuses what another release of Pando has installed.
func (s *Source) checkFormat(ctx context.Context, q asker) error {
	var found int
	err := q.QueryRowContext(ctx, "SELECT coalesce(max(format), 0) FROM "+s.own("meta")).Scan(&found)
	switch {
	case err != nil:
		return fmt.Errorf("read the format of what is installed: %w", err)
	case found != format:
		return mismatchf("the schema %q of the database has format %d and this program writes %d: run the release of Pando that made it, or uninstall and migrate", s.schema, found, format)
	}
	return nil
}

// checkPartitions refuses a partition of a table that is declared, too: its changes
// are logged as those of the whole.
func (i *installation) checkPartitions(ctx context.Context, q asker) error {
	var errs []error
	for _, t := range i.ordered() {
		if !t.isPartition {
			continue
		}
		err := each(ctx, q, func(root string) {
			for _, whole := range i.catalog.byOID {
				if strconv.FormatUint(uint64(whole.oid), 10) == root && whole != t {
					errs = append(errs, mismatchf("table %q is a partition of %q, which is declared, too, and has its changes: declare one of them", t.declared.Name, whole.declared.Name))
				}
			}
		}, "SELECT relid::oid::text FROM pg_partition_ancestors($1::oid::regclass)", int64(t.oid))
		if err != nil {
			return fmt.Errorf("look at the partition %q: %w", t.declared.Name, err)
		}
	}
	return errors.Join(errs...)
}

// isFull tells whether the log has to carry the whole of a table's old rows.
func (s *Source) isFull(t *schema.Table) bool { return t.Whole || slices.Contains(s.full, t.Name) }

// partialQuery has a table, and the partitions that have its rows, whose old rows
// the log does not carry as a whole.
const partialQuery = `SELECT format('%I.%I', n.nspname, c.relname) FROM (SELECT $1::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree($1::oid::regclass)) p
	JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relreplident <> 'f' ORDER BY 1`

// inspectIdentities adds what gives tables, and the partitions that have their
// rows, the identity FULL.
func (s *Source) inspectIdentities(ctx context.Context, q asker, i *installation) error {
	for _, t := range i.ordered() {
		if !s.isFull(t.declared) {
			continue
		}
		err := each(ctx, q, func(name string) {
			i.statements = append(i.statements, "ALTER TABLE "+name+" REPLICA IDENTITY FULL")
		}, partialQuery, int64(t.oid))
		if err != nil {
			return fmt.Errorf("look at the replica identity of table %q: %w", t.declared.Name, err)
		}
	}
	return nil
}

const publicationQuery = `SELECT p.puballtables, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND p.pubviaroot,
	coalesce((SELECT string_agg(r.prrelid::text, ' ') FROM pg_publication_rel r WHERE r.prpubid = p.oid), ''),
	coalesce((SELECT string_agg(r.prrelid::regclass::text, ', ') FROM pg_publication_rel r WHERE r.prpubid = p.oid
		AND (to_jsonb(r) ->> 'prqual' IS NOT NULL OR to_jsonb(r) ->> 'prattrs' IS NOT NULL)), '')
	FROM pg_publication p WHERE p.pubname = $1::text`

// publishOptions are those of the publication.
const publishOptions = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"

// inspectPublication adds what publishes the declared tables. What others publish
// by it stays.
func (s *Source) inspectPublication(ctx context.Context, q asker, i *installation, messages bool) error {
	if err := s.inspectIdentities(ctx, q, i); err != nil {
		return err
	}
	var list, filtered string
	var all, complete bool
	rows, err := q.QueryContext(ctx, publicationQuery, s.publication())
	if err != nil {
		return fmt.Errorf("look at the publication: %w", err)
	}
	defer rows.Close()
	exists := rows.Next()
	if exists {
		err = rows.Scan(&all, &complete, &list, &filtered)
	}
	if err := errors.Join(err, rows.Err()); err != nil {
		return fmt.Errorf("look at the publication: %w", err)
	}
	if filtered != "" {
		return mismatchf("the publication %q leaves out rows or columns of %s: ALTER PUBLICATION %s DROP TABLE %[2]s, and migrate", s.publication(), filtered, quote(s.publication()))
	}
	var names []string
	published := strings.Fields(list)
	for _, t := range i.ordered() {
		if !all && !slices.Contains(published, strconv.FormatUint(uint64(t.oid), 10)) {
			names = append(names, t.sqlName())
		}
	}
	if messages && !all {
		names = append(names, s.own("messages"))
	}
	name := quote(s.publication())
	switch {
	case !exists && len(names) > 0:
		i.statements = append(i.statements, "CREATE PUBLICATION "+name+" FOR TABLE "+strings.Join(names, ", ")+" WITH ("+publishOptions+")")
		return nil
	case !exists:
		i.statements = append(i.statements, "CREATE PUBLICATION "+name+" WITH ("+publishOptions+")")
		return nil
	case len(names) > 0:
		i.statements = append(i.statements, "ALTER PUBLICATION "+name+" ADD TABLE "+strings.Join(names, ", "))
	}
	if !complete {
		i.statements = append(i.statements, "ALTER PUBLICATION "+name+" SET ("+publishOptions+")")
	}
	return nil
}

// ordered are the tables by their names.
func (i *installation) ordered() []*table {
	var all []*table
	for _, t := range i.catalog.byOID {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *table) int { return strings.Compare(a.sqlName(), b.sqlName()) })
	return all
}
