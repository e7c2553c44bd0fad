package state

import "github.com/pando-sync/pando"

// Order has a UUID for its key.
type Order struct {
	ID    [16]byte `json:"id"`
	Lines []Line   `json:"lines"`
}

// Line has a key of two columns.
type Line struct {
	OrderID [16]byte `json:"order_id" pando:"key"`
	No      int      `json:"no" pando:"key"`
	Serial  int64    `json:"serial" pando:"string"` // may be beyond 2^53
	Product *Product `json:"product" pando:"link:sku"`
	Parcels []Parcel `json:"parcels"` // parcels.line_order_id, parcels.line_no
}

// Product has a text for its key.
type Product struct {
	SKU  string `json:"sku" pando:"key"`
	Name string `json:"name"`
}

// Parcel is sent for a line.
type Parcel struct {
	ID int64 `json:"id"`
}

// OrderChannel shows one order.
type OrderChannel struct {
	pando.Channel[Order, pando.NoRuntime]
	everyone
}

// LineChannel shows one line of an order.
type LineChannel struct {
	pando.Channel[Line, pando.NoRuntime]
	everyone
}

func keys(app *pando.App) {
	app.Handle("orders/{order_id}", pando.For(func() *OrderChannel { return &OrderChannel{} }))
	app.Handle("lines/{line_key}", pando.For(func() *LineChannel { return &LineChannel{} }))
}
