package orm

import (
	"context"
	"database/sql"
	"time"

	"github.com/uptrace/bun"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/adapters/pandobun"
	"github.com/pando-sync/pando/feed"
)

// Order and Line are bun's models.
type Order struct {
	bun.BaseModel `bun:"table:orders"`

	ID    int64   `bun:",pk,autoincrement"`
	Label string  `bun:"label_text"`
	Lines []*Line `bun:"rel:has-many,join:id=order_ref"`
}

// Line is a line of one order.
type Line struct {
	ID        int64 `bun:",pk,autoincrement"`
	OrderRef  int64
	Amount    int
	DeletedAt time.Time `bun:",soft_delete,nullzero" json:"-"`
}

// OrderChannel has an order with its lines.
type OrderChannel struct {
	pando.Channel[Order, pando.NoRuntime]

	db *bun.DB
}

// HasPermission lets everybody in.
func (c *OrderChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// AddLine adds a line, once.
func (c *OrderChannel) AddLine(ctx context.Context, tx *sql.Tx, amount int) error {
	line := Line{OrderRef: c.Args().Int("order_id"), Amount: amount}
	_, err := c.db.NewInsert().Model(&line).Conn(tx).Exec(ctx)
	return err
}

// WithBun returns the app over the models that db stores.
func WithBun(db *bun.DB, source feed.Source) (*pando.App, error) {
	app, err := pando.New(pando.Config{
		Source: source,
		Models: pandobun.Models(db, (*Order)(nil), (*Line)(nil)),
	})
	if err != nil {
		return nil, err
	}
	app.Handle("orders/{order_id}", pando.For(func() *OrderChannel { return &OrderChannel{db: db} },
		pando.Public(),
		pando.Include("Lines"),
		pando.Actions((*OrderChannel).AddLine),
	))
	return app, nil
}
