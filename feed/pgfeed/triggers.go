package pgfeed

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// opTruncate is the op of a log row that tells that a table was emptied. That of
// the others tells what has become of the row, which nobody goes by.
const opTruncate = "T"

// The triggers of a followed table.
const (
	rowTrigger      = "pando_log"
	truncateTrigger = "pando_log_truncate"
)

// logTables create the log that triggers write.
var logTables = []string{
	`CREATE TABLE IF NOT EXISTS pando.log (
	seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	tab oid NOT NULL,
	op text NOT NULL,
	key text[]
)`,
	`CREATE INDEX IF NOT EXISTS log_xid ON pando.log (xid)`,
	`CREATE TABLE IF NOT EXISTS pando.log_state (id int PRIMARY KEY CHECK (id = 1), trimmed numeric NOT NULL)`,
	`INSERT INTO pando.log_state VALUES (1, 0) ON CONFLICT DO NOTHING`,
}

// inspectTriggers adds what has triggers write the log for the declared tables.
func (s *Source) inspectTriggers(ctx context.Context, q asker, i *installation) error {
	var there bool
	if err := q.QueryRowContext(ctx, "SELECT to_regclass($1::text) IS NOT NULL AND to_regclass($2::text) IS NOT NULL", s.own("log"), s.own("log_state")).Scan(&there); err != nil {
		return fmt.Errorf("look for the log: %w", err)
	}
	if !there {
		for _, create := range logTables {
			i.statements = append(i.statements, s.statement(create))
		}
	}
	for _, t := range i.ordered() {
		if t.declared.Whole {
			return mismatchf("table %q has a binding, which needs its rows as they were before they changed, and triggers log the keys alone: follow the database by its own log, without WithTriggerLog", t.declared.Name)
		}
		if !slices.ContainsFunc(t.unique, func(u uniqueSet) bool { return u.Primary && slices.Equal(u.Columns, t.key()) }) {
			return mismatchf("the key of table %q is not its primary key, by which triggers log rows: declare the primary key as key", t.declared.Name)
		}
		var place string
		if t.schema != s.schema {
			place = strconv.FormatUint(uint64(t.oid), 10)
		}
		if err := s.inspectTrigger(ctx, q, i, t.sqlName(), place, t.key()); err != nil {
			return err
		}
	}
	created := slices.ContainsFunc(i.statements, func(statement string) bool { return strings.Contains(statement, s.own("messages")) })
	if created {
		return s.inspectTrigger(ctx, q, i, s.own("messages"), "", []string{"id"})
	}
	return nil
}

// inspectTrigger adds the triggers of one table. oid is empty for a table of Pando's
// own, which may have to be created.
func (s *Source) inspectTrigger(ctx context.Context, q asker, i *installation, name, oid string, key []string) error {
	function, table := s.own("log_"+oid), oid+"::oid"
	if oid == "" {
		function, table = s.own("log_messages"), literal(name)+"::regclass::oid"
	}
	body := s.triggerBody(table, key)
	var rows, all int
	err := q.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE t.tgname = $1::text), count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
		WHERE t.tgrelid = to_regclass($2::text) AND t.tgname IN ($1::text, $3::text) AND t.tgenabled = 'A' AND p.prosrc = $4::text`,
		rowTrigger, name, truncateTrigger, body).Scan(&rows, &all)
	if err != nil {
		return fmt.Errorf("look for the triggers: %w", err)
	}
	if rows == 1 && all == 2 {
		return nil
	}
	// The function has its owner's rights, so that whoever writes the table needs
	// none on the log, and its own settings, whatever the writer's are.
	settings := " SET search_path = pg_catalog SET datestyle = 'ISO' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 3 SET bytea_output = 'hex'"
	i.statements = append(i.statements,
		"CREATE OR REPLACE FUNCTION "+function+"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"+settings+" AS "+literal(body),
		"DROP TRIGGER IF EXISTS "+rowTrigger+" ON "+name,
		"CREATE TRIGGER "+rowTrigger+" AFTER INSERT OR UPDATE OR DELETE ON "+name+" FOR EACH ROW EXECUTE FUNCTION "+function+"()",
		"ALTER TABLE "+name+" ENABLE ALWAYS TRIGGER "+rowTrigger,
		"DROP TRIGGER IF EXISTS "+truncateTrigger+" ON "+name,
		"CREATE TRIGGER "+truncateTrigger+" AFTER TRUNCATE ON "+name+" FOR EACH STATEMENT EXECUTE FUNCTION "+function+"()",
		"ALTER TABLE "+name+" ENABLE ALWAYS TRIGGER "+truncateTrigger)
	return nil
}

// triggerBody logs the keys that a row had and has, as texts of its columns in the
// order of their names.
func (s *Source) triggerBody(table string, key []string) string {
	texts := func(row string) string {
		columns := make([]string, len(key))
		for i, name := range key {
			columns[i] = row + "." + quote(name) + "::text"
		}
		return "ARRAY[" + strings.Join(columns, ", ") + "]"
	}
	insert := "INSERT INTO " + s.own("log") + " (tab, op, key) VALUES (" + table + ", "
	return fmt.Sprintf(`BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		%[1]s'%[2]s', NULL);
		RETURN NULL;
	END IF;
	IF TG_OP <> 'INSERT' THEN
		%[1]s'D', %[3]s);
	END IF;
	IF TG_OP = 'INSERT' THEN
		%[1]s'I', %[4]s);
	ELSIF TG_OP = 'UPDATE' THEN
		IF %[4]s IS DISTINCT FROM %[3]s THEN
			%[1]s'I', %[4]s);
		END IF;
	END IF;
	RETURN NULL;
END`, insert, opTruncate, texts("OLD"), texts("NEW"))
}

// removeTriggers removes the triggers with their functions, and the log.
func (s *Source) removeTriggers(ctx context.Context, tx *sql.Tx) error {
	var drop sql.NullString
	err := tx.QueryRowContext(ctx, `SELECT string_agg(format('DROP FUNCTION %I.%I() CASCADE', n.nspname, p.proname), '; ')
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1::text AND p.proname LIKE 'log\_%' AND p.prorettype = 'trigger'::regtype`,
		s.schema).Scan(&drop)
	if err != nil {
		return fmt.Errorf("look for the triggers: %w", err)
	}
	statements := append(strings.Split(drop.String, "; "), "DROP TABLE IF EXISTS "+s.own("log"), "DROP TABLE IF EXISTS "+s.own("log_state"))
	for _, statement := range statements {
		if statement == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
