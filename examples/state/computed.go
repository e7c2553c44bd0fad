package state

import (
	"fmt"
	"strings"

	"github.com/pando-sync/pando"
)

// Invoice has values that no column has.
type Invoice struct {
	ID      int64  `json:"id"`
	Year    int    `json:"-"`
	Label   string `json:"label" pando:"computed:Named"`             // of the row
	Items   []Item `json:"-"`                                        // read for what follows, not sent
	Count   int    `json:"count" pando:"count:Items"`                // of related rows
	Cents   int64  `json:"cents" pando:"sum:Items.Cents"`            // 0 without rows
	Dearest *int64 `json:"dearest" pando:"max:Items.Cents"`          // null without rows
	Gifts   int    `json:"gifts" pando:"count:Items,filter:cents=0"` // of some of them
	Summary string `json:"summary" pando:"computed:Names,of:Items"`  // by a method
}

// Item is one line of an invoice.
type Item struct {
	ID    int64
	Name  string
	Cents int64
}

// Named is what the invoice is called.
func (i *Invoice) Named() string { return fmt.Sprintf("%d-%03d", i.Year, i.ID) }

// Names are the items in short; they come in the order of their keys.
func (i *Invoice) Names() string {
	var names []string
	for _, item := range i.Items {
		names = append(names, item.Name)
	}
	return strings.Join(names, ", ")
}

// InvoiceChannel shows one invoice.
type InvoiceChannel struct {
	pando.Channel[Invoice, pando.NoRuntime]
	everyone
}

func computed(app *pando.App) {
	app.Handle("invoices/{invoice_id}", pando.For(func() *InvoiceChannel { return &InvoiceChannel{} }))
}
