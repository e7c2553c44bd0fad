package feedtest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// samples are values of each kind that every database stores, as a program
// would bind them, and what they mean.
var samples = map[schema.Kind][]sample{
	schema.Bool: {{false, schema.BoolValue(false)}, {true, schema.BoolValue(true)}},
	schema.Int: {
		{int64(0), schema.IntValue(0)}, {int64(-1), schema.IntValue(-1)},
		{int64(1)<<53 + 1, schema.IntValue(1<<53 + 1)},
		{int64(math.MaxInt64), schema.IntValue(math.MaxInt64)}, {int64(math.MinInt64), schema.IntValue(math.MinInt64)},
	},
	schema.Float: {
		{0.0, schema.FloatValue(0)}, {math.Copysign(0, -1), schema.FloatValue(0)}, {1.5, schema.FloatValue(1.5)},
		{0.1, schema.FloatValue(0.1)}, {1.0 / 3, schema.FloatValue(1.0 / 3)}, {-3.0, schema.FloatValue(-3)},
		{math.MaxFloat64, schema.FloatValue(math.MaxFloat64)}, {math.SmallestNonzeroFloat64, schema.FloatValue(math.SmallestNonzeroFloat64)},
		{float64(1<<53 + 2), schema.FloatValue(1<<53 + 2)}, {5e-310, schema.FloatValue(5e-310)},
	},
	schema.Text: {
		{"", schema.TextValue("")}, {"a", schema.TextValue("a")}, {"1", schema.TextValue("1")}, {"null", schema.TextValue("null")},
		{"it's \"quoted\" \\ \n\t", schema.TextValue("it's \"quoted\" \\ \n\t")},
		{"grüße 漢字 😀 \u2028", schema.TextValue("grüße 漢字 😀 \u2028")},
		{strings.Repeat("long ", 20_000), schema.TextValue(strings.Repeat("long ", 20_000))},
	},
	schema.UUID: {
		{"00000000-0000-0000-0000-000000000000", uuid("00000000-0000-0000-0000-000000000000")},
		{"F47AC10B-58CC-4372-A567-0E02B2C3D479", uuid("f47ac10b-58cc-4372-a567-0e02b2c3d479")},
	},
	schema.Time: {
		{"2026-01-02T03:04:05.678901Z", instant(2026, 1, 2, 3, 4, 5, 678901)},
		{"2026-01-02 03:04:05", instant(2026, 1, 2, 3, 4, 5, 0)},
		{"1999-12-31 23:59:59.999999+02:00", instant(1999, 12, 31, 21, 59, 59, 999999)},
	},
	schema.Bytes: {
		{[]byte{}, schema.BytesValue(nil)}, {[]byte{0}, schema.BytesValue([]byte{0})},
		{[]byte{0xff, 0, 0xfe, '\\', '\''}, schema.BytesValue([]byte{0xff, 0, 0xfe, '\\', '\''})},
	},
	schema.JSON: {
		{`{"b": [1, 2.5, null], "a": "ü"}`, jsonDocument(`{"b": [1, 2.5, null], "a": "ü"}`)},
		{`[]`, jsonDocument(`[]`)}, {`"text"`, jsonDocument(`"text"`)}, {`null`, jsonDocument(`null`)},
	},
}

// sample is a value as a program binds it and what a source must make of it.
type sample struct {
	stored any
	want   schema.Value
}

func uuid(s string) schema.Value         { return canonical(schema.UUID, s) }
func jsonDocument(s string) schema.Value { return canonical(schema.JSON, s) }

func canonical(kind schema.Kind, src any) schema.Value {
	v, err := kind.FromDriver(src)
	if err != nil {
		panic(err)
	}
	return v
}

func instant(year, month, day, hour, minute, sec, micro int) schema.Value {
	return schema.TimeValue(time.Date(year, time.Month(month), day, hour, minute, sec, micro*1000, time.UTC))
}

// testKinds stores edge values of every kind, by insert and by update, and
// compares what is fed with what is read and what was meant.
func testKinds(t *testing.T, f *fixture) {
	source, recorder := f.follow()
	id := int64(0)
	want := make(map[int64]sample)
	column := make(map[int64]int)
	for i, kind := range sampleKinds {
		all := slices.Clone(samples[kind])
		all = append(all, sample{nil, schema.Value{}})
		for _, extra := range f.Dialect.Values[kind] {
			all = append(all, sample{stored: extra, want: schema.Value{}})
		}
		for n, s := range all {
			id++
			name := "c_" + kind.String()
			if n%2 == 0 {
				f.exec("INSERT INTO samples (id, grp, "+name+") VALUES (?, 1, ?)", id, s.stored)
			} else {
				f.exec("INSERT INTO samples (id, grp) VALUES (?, 1)", id)
				f.exec("UPDATE samples SET "+name+" = ? WHERE id = ?", s.stored, id)
			}
			if n < len(samples[kind])+1 {
				want[id] = s
			}
			column[id] = i + 2
		}
	}
	recorder.Reach(source)
	fed := State{}
	for _, commit := range recorder.Commits() {
		fed.Follow(t, commit)
	}
	read, _ := f.read(source)
	for key, row := range read[f.samples] {
		i := column[key.Int()]
		if s, ok := want[key.Int()]; ok && row[i] != s.want {
			t.Errorf("%s %T %.40v reads as %s %.40q, want %.40q", f.samples.Columns[i].Kind, s.stored, s.stored, row[i].Kind(), row[i], s.want)
		}
		if got := fed[f.samples][key]; !slices.Equal(got, row) {
			t.Errorf("row %s: fed %v, read %v", key, got, row)
		}
	}
	if len(read[f.samples]) != int(id) || len(fed[f.samples]) != int(id) {
		t.Errorf("stored %d rows, read %d, fed %d", id, len(read[f.samples]), len(fed[f.samples]))
	}
}

// testKeys follows and reads rows by text and UUID keys.
func testKeys(t *testing.T, f *fixture) {
	source, recorder := f.follow()
	state, before := f.read(source)
	before.Close()
	words := []string{"", "a", "A", "ü", "😀", "it's", `back\slash`, "1", "null"}
	for _, word := range words {
		f.exec("INSERT INTO words VALUES (?, 1, 'x')", word)
	}
	f.exec("UPDATE words SET note = 'y' WHERE word = 'A'")
	f.exec("DELETE FROM words WHERE word = '1'")
	f.exec("UPDATE words SET word = 'b' WHERE word = 'a'")
	mark := "f47ac10b-58cc-4372-a567-0e02b2c3d479"
	f.exec("INSERT INTO marks VALUES (?, 1, 'x')", mark)
	f.exec("INSERT INTO marks VALUES (?, 1, 'x')", "00000000-0000-0000-0000-000000000001")
	f.exec("UPDATE marks SET note = 'y' WHERE id = ?", mark)
	recorder.Reach(source)
	for _, commit := range recorder.Commits() {
		state.Follow(t, commit)
	}
	read, snapshot := f.read(source)
	f.same("fed differs from read", state, read)
	if n := len(read[f.words]); n != len(words)-1 {
		t.Errorf("read %d words, want %d", n, len(words)-1)
	}
	for _, table := range []*schema.Table{f.words, f.marks} {
		for key, row := range read[table] {
			got := f.query(snapshot, feed.Query{Table: table, Column: table.Key, Values: []schema.Value{key}})
			if len(got) != 1 || !slices.Equal(got[key], row) {
				t.Errorf("%s by key %q: %v", table.Name, key, got)
			}
		}
	}
}

// testQueries reads by many and by large values.
func testQueries(t *testing.T, f *fixture) {
	source := f.open()
	const rows = 500
	tx, err := f.DB.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for i := range rows {
		if _, err := tx.Exec(f.bind("INSERT INTO items VALUES (?, 1, ?, 'h')"), math.MaxInt64-int64(i), strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	_, snapshot := f.read(source)
	var values []schema.Value
	for i := range 33_000 { // more than SQLite binds
		values = append(values, schema.IntValue(math.MaxInt64-int64(2*i)))
	}
	if got := f.query(snapshot, feed.Query{Table: f.items, Values: values}); len(got) != rows/2 {
		t.Errorf("read %d rows by %d keys, want %d", len(got), len(values), rows/2)
	}
	if got := f.query(snapshot, feed.Query{Table: f.items}); len(got) != 0 {
		t.Errorf("read %d rows by no key", len(got))
	}
	if got := f.query(snapshot, feed.Query{Table: f.items, Values: []schema.Value{schema.TextValue("1"), {}}}); len(got) != 0 {
		t.Errorf("read %d rows by values of another kind", len(got))
	}
	halt := errors.New("halt")
	calls := 0
	err = snapshot.Rows(context.Background(), feed.Query{Table: f.items, Values: values[:10]}, func(schema.Row) error {
		calls++
		return halt
	})
	if !errors.Is(err, halt) || calls != 1 {
		t.Errorf("Rows goes on after its function failed: %v after %d calls", err, calls)
	}
}
