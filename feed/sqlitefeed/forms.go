package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// form is how the values of a column are stored, as far as SQL's comparisons
// of them can be trusted. SQLite keeps any value in any column, unless the
// table is STRICT.
type form uint8

const (
	// odd values mean something else than SQL compares: the text 2 in an
	// integer, times of several layouts, bytes that are not UTF-8.
	odd form = iota
	// findable values are found by equality, but have another order: UUIDs in
	// upper case or as bytes.
	findable
	// canonical values are compared by SQL as by schema.Value.
	canonical
)

// storage is how all values of a column are stored.
type storage struct {
	form form
	// layout is that of a column of times which is not odd.
	layout *layout
}

// aspect is what a query wants to know of a column.
type aspect uint8

const (
	// comparisons asks how values compare.
	comparisons aspect = iota
	// nulls asks only whether there is a value: any form will do that is not
	// read as NULL, so that a column is canonical or odd.
	nulls
)

// forms remembers the form of columns. A column is looked at wholly once, and
// then in what the log has of it since.
type forms struct {
	// mu guards the map. It is not held across I/O.
	mu    sync.Mutex
	known map[formKey]knownForm
}

type formKey struct {
	table, column string
	kind          schema.Kind
	aspect        aspect
}

// knownForm is the worst form of all values that a column had from one
// position of an epoch through another, and the layout of the first.
type knownForm struct {
	storage
	epoch         string
	from, through feed.Position
	// always tells that the column's type allows no other form.
	always bool
	// slots are where the log has new values of the column, by shape.
	slots map[int64]int64
}

// of returns how a view finds a column stored, and remembers it: all that the
// view sees has been committed. Derived columns are in no form that SQL knows.
func (f *forms) of(ctx context.Context, v *view, table *schema.Table, column int, ask aspect) (storage, error) {
	col := &table.Columns[column]
	if col.Derived() {
		return storage{}, nil
	}
	k, use := f.recall(&v.meta, table, col, ask)
	if use == enough {
		return k.storage, nil
	}
	look := examination{from: v, table: table.Name, column: col, aspect: ask}
	var err error
	if use == begun {
		err = look.since(ctx, &k)
	} else {
		k = knownForm{epoch: v.meta.epoch, from: v.meta.head}
		err = look.whole(ctx, &k)
	}
	if err != nil {
		return storage{}, look.fail(err)
	}
	k.through = v.meta.head
	f.learn(keyOf(table, col, ask), k)
	if k.form == odd {
		v.source.complainForm(table, col)
	}
	return k.storage, nil
}

// use is what knowledge of a column is good for.
type use uint8

const (
	// nothing is known of use.
	nothing use = iota
	// begun knowledge lacks what was written since.
	begun
	// enough is known.
	enough
)

// recall returns what is known of a column at the log's state m.
func (f *forms) recall(m *meta, table *schema.Table, col *schema.Column, ask aspect) (knownForm, use) {
	f.mu.Lock()
	k, known := f.known[keyOf(table, col, ask)]
	f.mu.Unlock()
	switch {
	case !known || k.epoch != m.epoch || m.head < k.from || m.head > k.through && m.trimmed > k.through:
		return k, nothing
	case k.form == odd || k.always || m.head <= k.through:
		return k, enough
	}
	return k, begun
}

func keyOf(table *schema.Table, col *schema.Column, ask aspect) formKey {
	return formKey{strings.ToLower(table.Name), strings.ToLower(col.Name), col.Kind, ask}
}

// learn keeps the newest of what is known of a column.
func (f *forms) learn(key formKey, k knownForm) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old, ok := f.known[key]; ok && old.epoch == k.epoch && old.through >= k.through {
		return
	}
	if f.known == nil {
		f.known = make(map[formKey]knownForm)
	}
	f.known[key] = k
}

// complainForm reports a column that SQL cannot compare, once.
func (s *Source) complainForm(table *schema.Table, column *schema.Column) {
	name := table.Name + "." + column.Name
	if _, known := s.complained.LoadOrStore("form "+name, true); !known {
		s.log.Warn("values of a column are stored in a form by which SQL compares them otherwise; reads by it look at many rows: store "+storedForm(column.Kind),
			"column", name, "kind", column.Kind.String())
	}
}

// storedForm says how to store values of a kind so that SQL can compare them.
func storedForm(kind schema.Kind) string {
	switch kind {
	case schema.Bool:
		return "0 and 1 in a column of a numeric type"
	case schema.Int:
		return "integers in a column of type INTEGER"
	case schema.Float:
		return "finite numbers in a column of type REAL"
	case schema.Time:
		return "all of them alike, as texts like 2006-01-02T15:04:05.000000Z or those of CURRENT_TIMESTAMP"
	case schema.UUID:
		return "texts with dashes in lower case, or 16 bytes"
	case schema.Bytes:
		return "blobs"
	default:
		return "valid UTF-8 in a column of type TEXT"
	}
}

// examination looks at the values of one column.
type examination struct {
	from   querier
	table  string
	column *schema.Column
	aspect aspect
}

func (e *examination) fail(err error) error {
	return fmt.Errorf("look at how column %q of table %q is stored: %w", e.column.Name, e.table, err)
}

// errOdd ends an examination early.
var errOdd = errors.New("odd")

// whole looks at the column's type and, if need be, at all of its values.
func (e *examination) whole(ctx context.Context, k *knownForm) error {
	row := make([]driver.Value, 5)
	const sql = `SELECT x.type, x.pk, t.strict, (SELECT count(*) FROM pragma_table_xinfo(?1) WHERE pk),
			EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')
		FROM pragma_table_xinfo(?1) AS x, pragma_table_list(?1) AS t WHERE x.name = ?2 COLLATE NOCASE AND t.schema = 'main'`
	err := queryRow(ctx, e.from, sql, row, e.table, e.column.Name)
	if errors.Is(err, io.EOF) {
		return mismatchf("it does not exist: add it to the table")
	}
	if err != nil {
		return err
	}
	declared := strings.ToUpper(textIn(row[0]))
	rowid := declared == "INTEGER" && row[1] == int64(1) && row[3] == int64(1) && row[4] == int64(0)
	strict := row[2] == int64(1) && (declared == "INTEGER" || declared == "INT")
	k.form = canonical
	kind := e.column.Kind
	switch {
	case kind == schema.Int && (rowid || strict):
		k.always = true
		return nil
	case (kind == schema.Text || kind == schema.JSON) && numeric(declared) && e.aspect == comparisons:
		// A text that looks like a number is compared as one.
		k.form = odd
		return nil
	}
	if err := e.readSlots(ctx, k); err != nil {
		return err
	}
	return e.look(ctx, k, quote(e.column.Name), quote(e.table), "1")
}

// numeric tells whether a declared type gives a column numeric affinity, by
// SQLite's rules.
func numeric(declared string) bool {
	has := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(declared, word) {
				return true
			}
		}
		return false
	}
	switch {
	case has("INT"):
		return true
	case has("CHAR", "CLOB", "TEXT", "BLOB") || declared == "" || declared == "ANY":
		return false
	default:
		return true
	}
}

// readSlots finds the column in the log.
func (e *examination) readSlots(ctx context.Context, k *knownForm) error {
	k.slots = make(map[int64]int64)
	const sql = `SELECT s.id, j.key FROM pando_shape AS s, json_each(s.columns) AS j
		WHERE s.name = ?1 COLLATE NOCASE AND j.value = ?2 COLLATE NOCASE`
	return e.from.query(ctx, sql, bind(e.table, e.column.Name), func(row []driver.Value) error {
		k.slots[integerIn(row[0])] = integerIn(row[1])
		return nil
	})
}

// since looks at the values that were written since k.through.
func (e *examination) since(ctx context.Context, k *knownForm) error {
	for shape, slot := range k.slots {
		where := fmt.Sprintf("seq > ? AND shape = %d AND op IN (%d, %d)", shape, opInsert, opUpdate)
		err := e.look(ctx, k, fmt.Sprintf("new_%d", slot), "pando_log", where, int64(k.through))
		if err != nil {
			return err
		}
	}
	return nil
}

// look lowers k.form to that of the worst value of an expression. Times have
// to be in the layout of the first one.
func (e *examination) look(ctx context.Context, k *knownForm, expression, table, where string, args ...driver.Value) error {
	value := "+" + expression
	if e.column.Kind == schema.UUID {
		// All UUIDs that are bytes are as good as one.
		value = fmt.Sprintf("DISTINCT CASE WHEN typeof(%[1]s) = 'blob' AND length(%[1]s) = 16 THEN zeroblob(16) ELSE %[1]s END", expression)
	}
	from := " FROM " + table + " WHERE " + where
	if e.column.Kind == schema.Time && k.layout == nil {
		if err := e.lookFirst(ctx, k, "SELECT "+value+from+" AND "+expression+" <> 0 LIMIT 1", args); err != nil {
			return err
		}
	}
	sql := "SELECT " + value + from + " AND (" + plainly(e.column.Kind, k.layout, expression) + ") IS NOT TRUE"
	err := e.from.query(ctx, sql, bind(args...), func(row []driver.Value) error {
		k.form = min(k.form, e.formOf(k, row[0]))
		if k.form == odd {
			return errOdd
		}
		return nil
	})
	if errors.Is(err, errOdd) {
		return nil
	}
	return err
}

// lookFirst takes the layout from the first time that is not 0, which may
// count seconds as well as milliseconds.
func (e *examination) lookFirst(ctx context.Context, k *knownForm, sql string, args []driver.Value) error {
	return e.from.query(ctx, sql, bind(args...), func(row []driver.Value) error {
		k.layout = layoutOf(row[0])
		return nil
	})
}

// formOf is the form of one stored value.
func (e *examination) formOf(k *knownForm, raw driver.Value) form {
	kind := e.column.Kind
	switch {
	case e.aspect == nulls && isRead(kind, raw):
		return canonical
	case e.aspect == nulls:
		return odd
	case kind == schema.Time:
		return k.formOfTime(raw)
	default:
		return formOfValue(kind, raw)
	}
}

// isRead tells that a value is not read as NULL unless it is NULL.
func isRead(kind schema.Kind, raw driver.Value) bool {
	v, err := kind.FromDriver(raw)
	return err == nil && (raw == nil || !v.IsNull())
}

func (k *knownForm) formOfTime(raw driver.Value) form {
	if raw == nil {
		return canonical
	}
	if k.layout == nil {
		k.layout = layoutOf(raw)
	}
	v, err := schema.Time.FromDriver(raw)
	if k.layout == nil || err != nil || !k.layout.writes(v, raw) {
		return odd
	}
	return canonical
}

// uuidPattern is that of a canonical text.
var uuidPattern = "'" + strings.Join([]string{hexes(8), hexes(4), hexes(4), hexes(4), hexes(12)}, "-") + "'"

func hexes(n int) string  { return strings.Repeat("[0-9a-f]", n) }
func digits(n int) string { return strings.Repeat("[0-9]", n) }

// plainly is SQL that holds for most values which are surely canonical, NULL
// among them, so that Go need not look at them. GLOB and length end at a NUL
// in a text, the length of the blob does not.
func plainly(kind schema.Kind, times *layout, x string) string {
	var sql string
	switch kind {
	case schema.Bool:
		sql = "typeof(%[1]s) = 'integer' AND %[1]s IN (0, 1)"
	case schema.Int:
		sql = "typeof(%[1]s) = 'integer'"
	case schema.Float:
		sql = "typeof(%[1]s) = 'real' AND %[1]s - %[1]s = 0.0 OR typeof(%[1]s) = 'integer' AND %[1]s BETWEEN -9007199254740992 AND 9007199254740992"
	case schema.Text:
		sql = "typeof(%[1]s) = 'text' AND length(%[1]s) = length(CAST(%[1]s AS BLOB)) AND %[1]s NOT GLOB '*[^ -~]*'"
	case schema.UUID:
		sql = "typeof(%[1]s) = 'text' AND length(CAST(%[1]s AS BLOB)) = 36 AND %[1]s GLOB " + uuidPattern
	case schema.Time:
		sql = times.plainTime()
	case schema.Bytes:
		sql = "typeof(%[1]s) = 'blob'"
	default:
		sql = "0"
	}
	return fmt.Sprintf("%[1]s IS NULL OR "+sql, x)
}

// formOfValue is the form of one stored value that is no time.
func formOfValue(kind schema.Kind, raw driver.Value) form {
	if raw == nil {
		return canonical
	}
	v, err := kind.FromDriver(raw)
	if err != nil || v.IsNull() {
		return odd
	}
	same := false
	switch raw := raw.(type) {
	case int64:
		const exact = 1 << 53
		same = kind == schema.Int || kind == schema.Bool || kind == schema.Float && raw >= -exact && raw <= exact
	case float64:
		same = kind == schema.Int || kind == schema.Bool || kind == schema.Float && raw == v.Float()
	case []byte:
		same = kind == schema.Bytes
	case string:
		same = kind != schema.Bytes && raw == v.Driver()
	}
	switch {
	case same:
		return canonical
	case kind == schema.UUID && isUUIDForm(raw, v):
		return findable
	default:
		return odd
	}
}

func isUUIDForm(raw driver.Value, v schema.Value) bool {
	if b, ok := raw.([]byte); ok {
		return len(b) == 16
	}
	texts, _ := uuidForms([]schema.Value{v})
	for _, text := range texts {
		if raw == text {
			return true
		}
	}
	return false
}
