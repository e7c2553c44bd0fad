package main

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/pando-sync/pando"
)

// Order is what somebody buys.
type Order struct {
	ID     int64  `json:"id"`
	Status Status `json:"status"`
	Lines  []Line `json:"lines"`
}

// Status is where an order stands.
type Status string

// The states of an order.
const (
	Open Status = "open" // may be changed
	Paid Status = "paid"
)

// Line is one thing of an order.
type Line struct {
	ID       int64  `json:"id"`
	Item     string `json:"item"`
	Quantity int64  `json:"quantity"`
}

// OrderChannel shows an order.
type OrderChannel struct {
	pando.Channel[Order, pando.NoRuntime]
	everyone

	db   *sql.DB
	bank Bank
}

// Address is where an order goes.
type Address struct {
	Street  string  `json:"street"`
	Country string  `json:"country"`
	Floor   *int    `json:"floor"`
	Note    *string `json:"note,omitempty"`
}

// Offer is what delivery costs.
type Offer struct {
	Cents int       `json:"cents"`
	On    time.Time `json:"on"`
}

// Quote tells what a delivery costs. It changes nothing.
func (c *OrderChannel) Quote(_ context.Context, to Address, express bool) (*Offer, error) {
	if to.Country != "GB" {
		return nil, pando.Errorf("no_delivery", "we do not deliver to %q", to.Country)
	}
	offer := &Offer{Cents: 500, On: time.Date(1843, 9, 4, 0, 0, 0, 0, time.UTC)}
	if express {
		offer.Cents *= 2
	}
	return offer, nil
}

// AddLine adds a thing to the order, and returns the line's key.
func (c *OrderChannel) AddLine(ctx context.Context, tx *sql.Tx, item string, quantity int) (id int64, err error) {
	if quantity < 1 {
		return 0, pando.Invalid("quantity", "order at least one")
	}
	if err := c.mustBeOpen(ctx, tx); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO lines (order_id, item, quantity) VALUES (?, ?, ?) RETURNING id`,
		c.Args().Int("order_id"), item, quantity).Scan(&id)
	return id, err
}

func (c *OrderChannel) mustBeOpen(ctx context.Context, tx *sql.Tx) error {
	var status Status
	err := tx.QueryRowContext(ctx, `SELECT status FROM orders WHERE id = ?`, c.Args().Int("order_id")).Scan(&status)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return pando.Errorf("not_found", "the order is gone")
	case err == nil && status != Open:
		return pando.Errorf("conflict", "the order is %s", status)
	}
	return err
}

// Bank moves money. It tells payments apart by the order.
type Bank interface {
	Charge(ctx context.Context, order int64) error
}

// Pay pays the order, which is no matter of one transaction.
func (c *OrderChannel) Pay(ctx context.Context) error {
	order := c.Args().Int("order_id")
	if err := c.Tx(ctx, func(tx *sql.Tx) error { return c.mustBeOpen(ctx, tx) }); err != nil {
		return err
	}
	if err := c.bank.Charge(ctx, order); err != nil {
		return &pando.Error{Code: "bank", Message: "the bank does not answer", Retry: true, RetryAfter: 10 * time.Second}
	}
	return c.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE orders SET status = 'paid' WHERE id = ?`, order)
		return err
	})
}

// Stock tells how much there is of an item. It takes a while.
func (c *OrderChannel) Stock(ctx context.Context, item string) (n int64, err error) {
	err = c.db.QueryRowContext(ctx, `SELECT 1000 - coalesce(sum(quantity), 0) FROM lines WHERE item = ?`, item).Scan(&n)
	return n, err
}

func actions(app *pando.App, db *sql.DB, bank Bank) {
	app.Handle("orders/{order_id}", pando.For(
		func() *OrderChannel { return &OrderChannel{db: db, bank: bank} },
		pando.Actions(
			(*OrderChannel).Quote,
			(*OrderChannel).AddLine,
			(*OrderChannel).Pay,
			pando.Concurrent((*OrderChannel).Stock),
		),
		pando.ActionTimeout(5*time.Second),
		pando.MaxRequest(4<<10),
		pando.RateLimit(5, 20),
	))
}
