package pgfeed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// wire writes messages as pgoutput does.
type wire struct{ bytes.Buffer }

func (w *wire) put(values ...any) *wire {
	for _, v := range values {
		switch v := v.(type) {
		case string: // ends with a zero
			w.WriteString(v + "\x00")
		case byte:
			w.WriteByte(v)
		case uint16:
			w.Write(binary.BigEndian.AppendUint16(nil, v))
		case uint32:
			w.Write(binary.BigEndian.AppendUint32(nil, v))
		case uint64:
			w.Write(binary.BigEndian.AppendUint64(nil, v))
		case []string: // a row: NULL is "\x00", an unchanged value "\x01"
			w.put(uint16(len(v)))
			for _, s := range v {
				switch s {
				case "\x00":
					w.WriteByte('n')
				case "\x01":
					w.WriteByte('u')
				default:
					w.put(byte('t'), uint32(len(s)))
					w.WriteString(s)
				}
			}
		}
	}
	return w
}

func write(values ...any) []byte { return new(wire).put(values...).Bytes() }

// The messages of a table of two columns.
var (
	describeItems = write(byte('R'), uint32(7), "public", "items", byte('d'), uint16(2), byte(1), "id", uint32(20), uint32(1<<32-1), byte(0), "name", uint32(25), uint32(1<<32-1))
	begins        = write(byte('B'), uint64(100), uint64(1), uint32(42))
	commits       = write(byte('C'), byte(0), uint64(100), uint64(120), uint64(1))
)

// samples are messages of every kind.
var samples = map[string][]byte{
	"begin":    begins,
	"commit":   commits,
	"relation": describeItems,
	"type":     write(byte('Y'), uint32(9), "public", "mood"),
	"origin":   write(byte('O'), uint64(1), "elsewhere"),
	"insert":   write(byte('I'), uint32(7), byte('N'), []string{"1", "a"}),
	"update":   write(byte('U'), uint32(7), byte('N'), []string{"1", "\x01"}),
	"key":      write(byte('U'), uint32(7), byte('K'), []string{"1", "\x00"}, byte('N'), []string{"2", "a"}),
	"full":     write(byte('U'), uint32(7), byte('O'), []string{"1", "a"}, byte('N'), []string{"1", "b"}),
	"delete":   write(byte('D'), uint32(7), byte('K'), []string{"1", "\x00"}),
	"truncate": write(byte('T'), uint32(2), byte(1), uint32(7), uint32(8)),
	"message":  write(byte('M'), byte(0), uint64(200), "pando", uint32(0)),
}

func TestParseMessage(t *testing.T) {
	var m message
	for name, sample := range samples {
		if err := parseMessage(sample, &m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "type" || name == "origin" {
			continue
		}
		for n := range sample {
			if err := parseMessage(sample[:n], &m); !errors.Is(err, errGarbage) {
				t.Errorf("%s cut to %d bytes: %v", name, n, err)
			}
		}
		if err := parseMessage(append(slices.Clone(sample), 0), &m); !errors.Is(err, errGarbage) {
			t.Errorf("%s with a byte more: %v", name, err)
		}
	}
	if err := parseMessage(samples["key"], &m); err != nil || m.identity != identityKey || m.relation != 7 ||
		string(m.old[0].text) != "1" || m.old[1].kind != fieldNull || string(m.new[0].text) != "2" || string(m.new[1].text) != "a" {
		t.Errorf("parsed %+v, %v", m, err)
	}
	if err := parseMessage(samples["truncate"], &m); err != nil || !slices.Equal(m.truncated, []uint32{7, 8}) {
		t.Errorf("parsed %+v, %v", m, err)
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, sample := range samples {
		f.Add(sample)
	}
	var m message
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := parseMessage(data, &m); err != nil {
			return
		}
		for _, fields := range [][]field{m.old, m.new} {
			for _, field := range fields {
				if field.kind == fieldText && field.text == nil {
					t.Error("an empty text is NULL")
				}
			}
		}
	})
}

// itemsSource is a source that knows the table of the samples, without a
// database.
func itemsSource() (*Source, *schema.Table) {
	declared := &schema.Table{Name: "items", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "name", Kind: schema.Text, Nullable: true}}}
	known := &table{declared: declared, oid: 7, schema: "public", name: "items"}
	for i, typ := range []uint32{20, 25} {
		known.columns = append(known.columns, &column{declared: &declared.Columns[i], table: "items", name: declared.Columns[i].Name, declaredType: typ, typ: typ})
	}
	return &Source{log: slog.New(slog.DiscardHandler), catalog: &catalog{byOID: map[uint32]*table{7: known}, tables: map[*schema.Table]*table{declared: known}}}, declared
}

// partOf is the data of a part with messages.
func partOf(messages ...[]byte) []byte {
	l := newSlotLog(nil, 0)
	l.emptyPart()
	for _, m := range messages {
		l.add(m)
	}
	return l.tx.data
}

func FuzzDecode(f *testing.F) {
	f.Add(partOf(describeItems, samples["insert"], samples["update"]))
	f.Add(partOf(describeItems, samples["key"], samples["full"], samples["delete"]))
	f.Add(partOf(samples["insert"]))
	source, _ := itemsSource()
	f.Fuzz(func(t *testing.T, data []byte) {
		commit, _, err := source.decode(source.catalog, feed.Part{Position: 1, Data: data})
		if err != nil {
			return
		}
		for _, c := range commit.Changes {
			if c.Key.IsNull() || c.New == nil && c.Old == nil && !c.Blind {
				t.Errorf("decoded %+v", c)
			}
		}
	})
}

// takes gives a log messages, and returns the parts that it makes of them.
func takes(t *testing.T, l *slotLog, messages ...[]byte) (parts []feed.Part) {
	t.Helper()
	for _, m := range messages {
		part, ok, err := l.take(m)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			part.Data = slices.Clone(part.Data)
			parts = append(parts, part)
		}
	}
	return parts
}

func TestParts(t *testing.T) {
	source, _ := itemsSource()
	l := newSlotLog(nil, 50)
	messages := [][]byte{begins, describeItems}
	for range partRows*2 + 1 {
		messages = append(messages, samples["insert"])
	}
	parts := takes(t, l, append(messages, commits)...)
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	for i, part := range parts {
		commit, err := source.Decode(part)
		want := []int{partRows, partRows, 1}[i]
		if err != nil || len(commit.Changes) != want || commit.More != (i < 2) || commit.Position != 100 || commit.Transaction != 42 {
			t.Errorf("part %d: %d changes of %+v, %v", i, len(commit.Changes), part.Position, err)
		}
	}
	if l.last != 100 || l.passed != 119 {
		t.Errorf("the log is at %d and has passed %d", l.last, l.passed)
	}
}

// TestPartsAreBounded cuts a transaction of large rows by their bytes.
func TestPartsAreBounded(t *testing.T) {
	l := newSlotLog(nil, 50)
	row := write(byte('I'), uint32(7), byte('N'), []string{"1", strings.Repeat("x", partBytes/3)})
	huge := write(byte('I'), uint32(7), byte('N'), []string{"1", strings.Repeat("x", 2*partBytes)})
	parts := takes(t, l, begins, describeItems, row, row, row, huge, row, commits)
	var sizes []int
	for _, part := range parts {
		sizes = append(sizes, len(part.Data)/(partBytes/4))
	}
	if !slices.Equal(sizes, []int{2, 1, 8, 1}) {
		t.Errorf("parts of %v quarters", sizes)
	}
}

// TestResetInside voids a transaction that empties a table or follows a change of
// columns, with the parts of it that were told.
func TestResetInside(t *testing.T) {
	for name, between := range map[string][]byte{
		"truncate": samples["truncate"],
		"columns":  write(byte('R'), uint32(7), "public", "items", byte('d'), uint16(1), byte(1), "id", uint32(20), uint32(1<<32-1)),
	} {
		l := newSlotLog(nil, 50)
		takes(t, l, begins, describeItems, commits)
		parts := takes(t, l, begins, samples["insert"], between, samples["insert"], commits)
		if len(parts) != 1 || parts[0].Data != nil || !strings.Contains(parts[0].Reset, "items") || parts[0].Position != 100 || parts[0].Transaction != 42 {
			t.Errorf("%s: parts are %+v", name, parts)
		}
	}
}

// TestGarbage refuses messages out of their place.
func TestGarbage(t *testing.T) {
	for name, messages := range map[string][][]byte{
		"unknown table": {begins, samples["insert"]},
		"no beginning":  {describeItems, samples["insert"]},
		"commit alone":  {commits},
		"empty":         {{}},
		"unknown kind":  {{'?'}},
	} {
		l := newSlotLog(nil, 0)
		var err error
		for _, m := range messages {
			if _, _, err = l.take(m); err != nil {
				break
			}
		}
		if !errors.Is(err, errGarbage) || !permanent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVisibility tells by the lower half of a transaction's number whether a
// snapshot saw it.
func TestVisibility(t *testing.T) {
	const era = 3 << 32
	for _, c := range []struct {
		snapshot string
		xid      uint64
		want     bool
	}{
		{"10:20:10,15", 9, true},
		{"10:20:10,15", 10, false},
		{"10:20:10,15", 11, true},
		{"10:20:10,15", 15, false},
		{"10:20:10,15", 20, false},
		{"10:20:10,15", 1 << 30, false},
		{"10:10:", 9, true},
		{"10:10:", 10, false},
		{"12884901888:12884901898:12884901890", 4294967290, true}, // before the turn
		{"12884901888:12884901898:12884901890", 2, false},
		{"12884901888:12884901898:12884901890", era + 2, false},
		{"12884901888:12884901898:12884901890", 3, true},
		{"12884901880:12884901880:", 12884901879, true},
		{"12884901880:12884901880:", 3, false}, // after the turn
	} {
		v, err := parseVisibility(c.snapshot)
		if err != nil || v.saw(c.xid) != c.want {
			t.Errorf("%s saw %d: %t, %v", c.snapshot, c.xid, !c.want, err)
		}
	}
	for _, text := range []string{"", "1:2", "1:2:x", "a:2:", "1:b:", "1:2:3:4"} {
		if _, err := parseVisibility(text); err == nil {
			t.Errorf("%q is taken for a snapshot", text)
		}
	}
}

func TestLSN(t *testing.T) {
	if lsn, err := parseLSN("16/B374D848"); err != nil || lsn != 0x16B374D848 {
		t.Errorf("%x, %v", lsn, err)
	}
	for _, text := range []string{"", "16", "16/", "/1", "x/1", "1/100000000"} {
		if _, err := parseLSN(text); err == nil {
			t.Errorf("%q is taken for a place in the log", text)
		}
	}
}
