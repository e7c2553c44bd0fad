package pandobun_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"go.uber.org/goleak"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/adapters/pandobun"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

// Models as a program has them.
type (
	Order struct {
		bun.BaseModel `bun:"table:orders_v2,alias:o"`

		ID      int64    `bun:",pk,autoincrement"`
		Label   string   `bun:"label_text,notnull"`
		Extra   Extra    `bun:"type:jsonb"`
		BuyerID *int64   `bun:"buyer_ref"`
		Buyer   *Buyer   `bun:"rel:belongs-to,join:buyer_ref=id"`
		Lines   []*Line  `bun:"rel:has-many,join:id=order_ref" pando:"order:id"`
		Invoice *Invoice `bun:"rel:has-one,join:id=order_id"`
		Tags    []Tag    `bun:"m2m:taggings,join:Of=Label"`
		Events  []Event  `bun:"rel:has-many,join:id=subject_id,join:type=subject_type,polymorphic:order"`
		Urgent  []*Line  `bun:"rel:has-many,join:id=order_ref,join_on:amount > 9"`
		Count   int      `bun:",scanonly"`
	}
	Extra struct{ Gift bool }
	Buyer struct {
		ID       int64 `bun:",pk,autoincrement"`
		FullName string
	}
	Line struct {
		ID        int64 `bun:",pk,autoincrement"`
		OrderRef  int64
		Amount    int
		DeletedAt time.Time `bun:",soft_delete,nullzero"`
	}
	Invoice struct {
		ID      int64 `bun:",pk,autoincrement"`
		OrderID int64
		Sum     float64
	}
	Tag struct {
		ID   int64 `bun:",pk,autoincrement"`
		Name string
	}
	Tagging struct {
		bun.BaseModel `bun:"table:taggings"`

		OrderNo int64  `bun:",pk"`
		TagNo   int64  `bun:",pk"`
		Of      *Order `bun:"rel:belongs-to,join:order_no=id"`
		Label   *Tag   `bun:"rel:belongs-to,join:tag_no=id"`
	}
	Event struct {
		ID          int64 `bun:",pk,autoincrement"`
		SubjectID   int64
		SubjectType string
	}
	// Lonely has a relation to what bun does not know.
	Lonely struct {
		ID   int64 `bun:",pk"`
		Tags []Tag `bun:"m2m:nowhere,join:Of=Label"`
	}
	Packed struct {
		ID   int64 `bun:",pk"`
		Data Extra `bun:",msgpack"`
	}
)

var (
	models   = []any{(*Order)(nil), (*Buyer)(nil), (*Line)(nil), (*Invoice)(nil), (*Tag)(nil), (*Tagging)(nil)}
	followed = []string{"Buyer", "Lines", "Invoice", "Tags"}
	quiet    = slog.New(slog.DiscardHandler)
)

// OrderChannel has an order with all that bun relates to it.
type OrderChannel struct {
	pando.Channel[Order, pando.NoRuntime]

	db *bun.DB
}

func (c *OrderChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// AddLine adds a line, unless its amount is negative, which is found out late.
func (c *OrderChannel) AddLine(ctx context.Context, tx *sql.Tx, order int64, amount int) (int64, error) {
	line := Line{OrderRef: order, Amount: amount}
	if _, err := c.db.NewInsert().Model(&line).Conn(tx).Exec(ctx); err != nil {
		return 0, err
	}
	if amount < 0 {
		return 0, pando.Errorf("refused", "negative")
	}
	return line.ID, nil
}

// database is one that the tests run on.
type database struct {
	name string
	open func(t *testing.T) (*bun.DB, feed.Source)
}

var databases = []database{
	{"SQLite", func(t *testing.T) (*bun.DB, feed.Source) {
		db := pandotest.Database(t)
		return bun.NewDB(db, sqlitedialect.New()), sqlitefeed.New(db, sqlitefeed.WithLogger(quiet))
	}},
	{"PostgreSQL", func(t *testing.T) (*bun.DB, feed.Source) {
		servers.Need(t, "postgres")
		url := servers.Database(t)
		db, err := sql.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return bun.NewDB(db, pgdialect.New()), pgfeed.New(db, url, pgfeed.WithLogger(quiet))
	}},
}

// serve runs an app over the models, and opens the first order.
func serve(t *testing.T, d database) (db *bun.DB, open func() *pandotest.Stream[Order]) {
	t.Helper()
	db, source := d.open(t)
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
	db.RegisterModel((*Tagging)(nil))
	for _, model := range models {
		if _, err := db.NewCreateTable().Model(model).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mapper := pandobun.Models(db, models...)
	app, err := pando.New(pando.Config{Source: source, Models: mapper, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("orders/{order_id}", pando.For(func() *OrderChannel { return &OrderChannel{db: db} },
		pando.Public(), pando.Include(followed...), pando.Actions((*OrderChannel).AddLine)))
	server := pandotest.Serve(t, app)
	return db, func() *pandotest.Stream[Order] {
		return pandotest.Open[Order](t, server.Connect(t, ""), "orders/1", schema.Mapped(mapper), schema.Include(followed...))
	}
}

func TestWrites(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			db, open := serve(t, d)
			ctx := t.Context()
			done := func(_ any, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			done(db.NewInsert().Model(&Buyer{FullName: "Ada"}).Exec(ctx))
			one := int64(1)
			order := &Order{Label: "first", Extra: Extra{Gift: true}, BuyerID: &one}
			done(db.NewInsert().Model(order).Exec(ctx))
			stream := open()
			if got := stream.State(); got.Label != "first" || !got.Extra.Gift || got.Buyer.FullName != "Ada" {
				t.Errorf("the state is %+v", got)
			}

			done(db.NewInsert().Model(&[]Line{{OrderRef: 1, Amount: 1}, {OrderRef: 1, Amount: 2}, {OrderRef: 1, Amount: 3}}).Exec(ctx))
			stream.Wait(t, "an insert of many", func(o *Order) bool { return len(o.Lines) == 3 })
			changed := []*Line{{ID: 1, Amount: 10}, {ID: 2, Amount: 20}}
			done(db.NewUpdate().Model(&changed).Column("amount").Bulk().Exec(ctx))
			stream.Wait(t, "an update of many", func(o *Order) bool { return o.Lines[0].Amount == 10 && o.Lines[1].Amount == 20 })
			done(db.NewDelete().Model((*Line)(nil)).Where("amount = ?", 3).Exec(ctx))
			stream.Wait(t, "a soft deletion", func(o *Order) bool { return len(o.Lines) == 2 })
			done(db.NewUpdate().Model((*Line)(nil)).Set("deleted_at = NULL").Where("id = 3").WhereAllWithDeleted().Exec(ctx))
			stream.Wait(t, "a restored row", func(o *Order) bool { return len(o.Lines) == 3 })
			done(db.NewDelete().Model((*Line)(nil)).Where("id = 3").ForceDelete().Exec(ctx))
			stream.Wait(t, "a deletion", func(o *Order) bool { return len(o.Lines) == 2 })

			done(db.NewInsert().Model(&[]Tag{{Name: "red"}, {Name: "blue"}}).Exec(ctx))
			done(db.NewInsert().Model(&[]Tagging{{OrderNo: 1, TagNo: 1}, {OrderNo: 1, TagNo: 2}}).Exec(ctx))
			stream.Wait(t, "a table between", func(o *Order) bool { return len(o.Tags) == 2 })
			done(db.NewDelete().Model(&Tagging{OrderNo: 1, TagNo: 1}).WherePK().Exec(ctx))
			stream.Wait(t, "what left it", func(o *Order) bool { return len(o.Tags) == 1 && o.Tags[0].Name == "blue" })
			done(db.NewInsert().Model(&Buyer{ID: 1, FullName: "Ada L."}).On("CONFLICT (id) DO UPDATE").Set("full_name = EXCLUDED.full_name").Exec(ctx))
			stream.Wait(t, "an upsert", func(o *Order) bool { return o.Buyer.FullName == "Ada L." })
			done(db.NewRaw("UPDATE orders_v2 SET buyer_ref = NULL").Exec(ctx))
			stream.Wait(t, "raw SQL", func(o *Order) bool { return o.Buyer == nil })
			transactions(t, db, stream)
		})
	}
}

func transactions(t *testing.T, db *bun.DB, stream *pandotest.Stream[Order]) {
	t.Helper()
	undone := errors.New("undone")
	err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&Invoice{OrderID: 1, Sum: 2.5}).Exec(ctx); err != nil {
			return err
		}
		err := tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewUpdate().Model((*Order)(nil)).Set("label_text = 'never'").Where("id = 1").Exec(ctx)
			return errors.Join(err, undone)
		})
		if !errors.Is(err, undone) {
			t.Errorf("the savepoint: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stream.Wait(t, "a transaction with a savepoint", func(o *Order) bool {
		return o.Invoice != nil && o.Invoice.Sum == 2.5 && o.Label == "first"
	})
	var id int64
	stream.Call(t, &id, "addLine", 1, 7)
	if id <= 3 {
		t.Errorf("the action's line is %d", id)
	}
	stream.Wait(t, "the action's line", func(o *Order) bool { return len(o.Lines) == 3 && o.Lines[2].Amount == 7 })
	if err := stream.Try(t.Context(), nil, "addLine", 1, -1); err == nil || !strings.Contains(err.Error(), "negative") {
		t.Errorf("the action that fails: %v", err)
	}
	if lines, err := db.NewSelect().Model((*Line)(nil)).Count(t.Context()); err != nil || lines != 3 {
		t.Errorf("%d lines (%v), want 3", lines, err)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		model   any
		include []string
		want    string
	}{
		"polymorphic":                    {Order{}, []string{"Events"}, "Order.Events: polymorphic"},
		"a condition in SQL":             {Order{}, []string{"Urgent"}, "Order.Urgent: bun's join_on"},
		"a table that is not registered": {Lonely{}, nil, "use db.RegisterModel"},
		"msgpack":                        {Packed{}, nil, "Packed.Data: it is stored as msgpack"},
	} {
		t.Run(name, func(t *testing.T) {
			db := bun.NewDB(pandotest.Database(t), sqlitedialect.New())
			db.RegisterModel((*Tagging)(nil))
			mapper := pandobun.Models(db, reflect.New(reflect.TypeOf(c.model)).Interface())
			_, err := schema.NewRegistry().Tree(reflect.TypeOf(c.model), schema.Mapped(mapper), schema.Include(c.include...))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	for _, wrong := range []any{nil, 7, "orders"} {
		mapper := pandobun.Models(bun.NewDB(pandotest.Database(t), sqlitedialect.New()), wrong)
		if _, err := mapper(reflect.TypeFor[Order]()); err == nil || !strings.Contains(err.Error(), "no struct") {
			t.Errorf("Models(%v): %v", wrong, err)
		}
	}
}
