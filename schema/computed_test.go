package schema_test

import (
	"database/sql"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/schema"
)

// Values that are made of a row, and of related rows.
type (
	Parcel struct { //nolint:recvcheck // methods of both receivers are found
		ID       int64
		Weight   float64 `json:"-"`
		Country  string
		Sent     *time.Time `json:"-"`
		Price    int64      `pando:"represent:Euros"`
		Heavy    bool       `pando:"computed:IsHeavy"`
		Age      *string    `gorm:"-" pando:"computed:SentIn"`
		Tags     []string   `pando:"computed:Tagged"`
		Broken   *int       `pando:"computed:Panics"`
		Scans    []Scan     `json:"-"`
		Last     *Scan      `json:"-" pando:"hasone,order:-at"`
		Count    int        `pando:"count:Scans"`
		Damages  int        `pando:"count:Scans,filter:damage!=null"`
		Loss     int64      `pando:"sum:Scans.Damage"`
		Hours    float64    `pando:"sum:Scans.Hours"`
		FirstAt  *time.Time `pando:"min:Scans.At"`
		WorstHit *int64     `pando:"max:Scans.Damage"`
		Route    string     `pando:"computed:Visited,of:Scans,of:Last"`
	}
	Scan struct {
		ID        int64
		City      string
		At        time.Time
		Hours     float64
		Damage    *int64
		DeletedAt sql.NullTime `bun:",soft_delete"`
	}
)

func (p Parcel) Euros() string { return fmt.Sprintf("%d.%02d", p.Price/100, p.Price%100) }

func (p *Parcel) IsHeavy() bool { return p.Weight > 30 }

func (p Parcel) SentIn() *string {
	if p.Sent == nil {
		return nil
	}
	year := p.Sent.Format("2006")
	return &year
}

func (p Parcel) Tagged() []string { return []string{p.Country, "<&>"} }

func (p Parcel) Panics() *int { panic("at " + p.Country) }

func (p Parcel) Visited() string {
	var cities []string
	for _, s := range p.Scans {
		cities = append(cities, s.City)
	}
	if p.Last != nil {
		cities = append(cities, "now "+p.Last.City)
	}
	return strings.Join(cities, " ")
}

func parcels(t *testing.T) (*schema.Registry, *schema.Tree) {
	t.Helper()
	r := schema.NewRegistry()
	tree, err := r.Tree(reflect.TypeFor[Parcel](), schema.Include())
	if err != nil {
		t.Fatal(err)
	}
	return r, tree
}

// rowOf makes a row of a table by the names of its columns.
func rowOf(table *schema.Table, values map[string]schema.Value) schema.Row {
	row := make(schema.Row, len(table.Columns))
	for i, c := range table.Columns {
		row[i] = values[c.Name]
	}
	return table.Complete(row)
}

// aggregated fills a row's aggregates as the router does, from rows that are
// found by each source.
func aggregated(typ *schema.Type, row schema.Row, related []schema.Row) schema.Row {
	for i, c := range typ.Table.Columns {
		if c.Aggregate == nil {
			continue
		}
		rows := make([][]schema.Row, len(c.Aggregate.Sources))
		for n, s := range c.Aggregate.Sources {
			for _, other := range related {
				if other[s.Link] == row[typ.Table.Key] && schema.Meets(s.Where, other, nil) {
					rows[n] = append(rows[n], other)
				}
			}
		}
		row[i] = c.Aggregate.Value(row, rows)
	}
	return row
}

func TestComputedValues(t *testing.T) {
	r, tree := parcels(t)
	var faults []string
	r.Fault = func(err error) { faults = append(faults, err.Error()) }
	table, scans := tree.Root.Type.Table, r.Tables[1]
	at := func(hour int) schema.Value {
		return schema.TimeValue(time.Date(2024, 2, 29, hour, 0, 0, 0, time.UTC))
	}
	row := rowOf(table, map[string]schema.Value{"id": schema.IntValue(7), "weight": schema.FloatValue(31), "country": schema.TextValue("SE"),
		"sent": at(3), "price": schema.IntValue(1205)})
	scan := func(id, parcel int64, city string, hour int, damage schema.Value) schema.Row {
		return rowOf(scans, map[string]schema.Value{"id": schema.IntValue(id), "parcel_id": schema.IntValue(parcel), "city": schema.TextValue(city),
			"at": at(hour), "hours": schema.FloatValue(0.5), "damage": damage})
	}
	gone := scan(4, 7, "Rome", 1, schema.IntValue(99))
	for i, c := range scans.Columns {
		if c.Name == "deleted_at" {
			gone[i] = at(9)
		}
	}
	related := []schema.Row{scan(1, 7, "Oslo", 4, schema.IntValue(-5)), scan(2, 7, "Bern", 9, schema.Value{}), scan(3, 7, "Wien", 2, schema.IntValue(40)),
		gone, scan(5, 8, "Kyiv", 3, schema.IntValue(1))}

	show := func(row schema.Row) string {
		var b strings.Builder
		for _, f := range tree.Root.Type.Fields {
			fmt.Fprintf(&b, "%s=%s ", f.Name, f.AppendJSON(nil, row[f.Column]))
		}
		return b.String()
	}
	got := show(aggregated(tree.Root.Type, row, related))
	want := `id="7" country="SE" price="12.05" heavy=true age="2024" tags=["SE","<&>"] broken=null count=3 damages=2 loss=35 hours=1.5 ` +
		`first_at="2024-02-29T02:00:00.000000Z" worst_hit=40 route="Oslo Bern Wien now Bern" `
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = show(aggregated(tree.Root.Type, rowOf(table, map[string]schema.Value{"id": schema.IntValue(9), "price": schema.IntValue(0)}), related))
	want = `id="9" country=null price="0.00" heavy=false age=null tags=["","<&>"] broken=null count=0 damages=0 loss=0 hours=0 first_at=null worst_hit=null route="" `
	if got != want {
		t.Errorf("of nothing: got  %s\nwant %s", got, want)
	}
	if len(faults) != 1 || !strings.Contains(faults[0], "compute Parcel.Broken: the value is NULL: panic: ") {
		t.Errorf("faults are %q, want the panic of Parcel.Broken once", faults)
	}
	var p Parcel
	if err := tree.Root.Type.Decode(row, &p); err != nil {
		t.Fatal(err)
	}
	if p.Price != 1205 || !p.Heavy || p.Count != 3 || *p.WorstHit != 40 || p.FirstAt.Hour() != 2 || p.Tags[1] != "<&>" || p.Scans != nil {
		t.Errorf("decoded %+v", p)
	}
}

// TestHiddenLayers shows that what values are made of stands below all that is
// sent, and in no model.
func TestHiddenLayers(t *testing.T) {
	_, tree := parcels(t)
	var got []string
	for i, l := range tree.Layers {
		if l.Index != i || l.Hidden != (i > 0) {
			t.Errorf("layer %d is %d, hidden %t", i, l.Index, l.Hidden)
		}
		got = append(got, fmt.Sprintf("%s %s %d", l.Path, l.Type.Name, len(l.Where)))
	}
	want := []string{" Parcel 0", "=count.0 #scans 1", "=damages.0 #scans 2", "=loss.0 #scans 1", "=hours.0 #scans 1",
		"=first_at.0 #scans 1", "=worst_hit.0 #scans 1", "=route.0 #scans 1", "=route.1 #scans 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	if m := tree.Model(); len(m.Layers) != 1 || len(m.Types) != 1 {
		t.Errorf("the model has %d layers of %d types", len(m.Layers), len(m.Types))
	}
	for _, f := range tree.Root.Type.Fields {
		if derived := tree.Root.Type.Table.Columns[f.Column].Derived(); derived != f.ReadOnly {
			t.Errorf("field %s: derived %t, read-only %t", f.Name, derived, f.ReadOnly)
		}
	}
}

// TestDecode reads a row of every kind, whatever the Go types.
func TestDecode(t *testing.T) {
	r := schema.NewRegistry()
	tree, err := r.Tree(reflect.TypeFor[Kinds]())
	if err != nil {
		t.Fatal(err)
	}
	typ := tree.Root.Type
	const id = "0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b"
	row := make(schema.Row, len(typ.Table.Columns))
	for name, src := range map[string]any{"id": id, "created_at": "2024-02-29 12:30:00", "note2": "embedded", "user_ids": "[1,2]", "is_done": true,
		"big": 1 << 60, "level": -3, "status": "open", "note": "n", "raw": []byte{0, 255}, "doc": `{"a":1}`, "map": `{"b":2}`, "pair": "[0.5,2]",
		"ref": id, "settings": `{"Dark":true}`} {
		for i, c := range typ.Table.Columns {
			if c.Name != name {
				continue
			}
			if row[i], err = c.Kind.FromDriver(src); err != nil {
				t.Fatal(err)
			}
		}
	}
	k := Kinds{Map: map[string]int{"old": 1}, Views: 5}
	if err := typ.Decode(row, &k); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%x %s %s %v %t %d %d %s %s %v %s %v %v %s %t %d", k.ID, k.CreatedAt.Format(time.RFC3339), k.Note2, k.UserIDs, k.Done, k.Big,
		*k.Level, k.Status.V, k.Note.String, k.Raw, k.Doc, k.Map, k.Pair, k.Ref, k.Setting.Dark, k.Views)
	want := "0190a1b2c3d47e5f8a6b0c1d2e3f4a5b 2024-02-29T12:30:00Z embedded [1 2] true 1152921504606846976 -3 open n [0 255] " +
		`{"a":1} map[b:2] [0.5 2] ` + id + " true 0"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err := typ.Decode(row, k); err == nil || !strings.Contains(err.Error(), "give a pointer to schema_test.Kinds") {
		t.Errorf("into a struct: %v", err)
	}
	for i, c := range typ.Table.Columns {
		if c.Name == "level" {
			row[i] = schema.IntValue(1000)
		}
	}
	if err := typ.Decode(row, &k); err == nil || !strings.Contains(err.Error(), "field Level: a schema_test.Level cannot hold 1000") {
		t.Errorf("a number too large: %v", err)
	}
}

// TestDecodeDoesNotAllocate reads rows into a struct that is there.
func TestDecodeDoesNotAllocate(t *testing.T) {
	tree, err := schema.NewRegistry().Tree(reflect.TypeFor[Task]())
	if err != nil {
		t.Fatal(err)
	}
	typ := tree.Root.Type
	row := rowOf(typ.Table, map[string]schema.Value{"id": schema.IntValue(7), "title": schema.TextValue("Milk")})
	var task Task
	allocs := testing.AllocsPerRun(100, func() {
		if err := typ.Decode(row, &task); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 || task.ID != 7 || task.Title != "Milk" {
		t.Errorf("%v allocations for %+v", allocs, task)
	}
}
