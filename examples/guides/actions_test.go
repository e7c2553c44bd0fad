package main

import (
	"errors"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/pandotest"
)

func TestActions(t *testing.T) {
	s := newShop(t)
	server := pandotest.Serve(t, s.app)
	order := pandotest.Open[Order](t, server.Connect(t, "1"), "orders/1")
	ctx := t.Context()

	var offer Offer
	order.Call(t, &offer, "quote", Address{Street: "1 St James's Square", Country: "GB"}, true)
	if offer.Cents != 1000 || offer.On.Year() != 1843 {
		t.Errorf("the offer is %+v", offer)
	}
	refused(t, order.Try(ctx, nil, "quote", Address{Country: "FR"}, false), "no_delivery")
	refused(t, order.Try(ctx, nil, "quote", map[string]any{"planet": "Mars"}, false), "bad_argument")
	refused(t, order.Try(ctx, nil, "quote"), "bad_argument")

	var id int64
	order.Call(t, &id, "addLine", "cogwheel", 3)
	if lines := order.State().Lines; len(lines) != 1 || lines[0] != (Line{id, "cogwheel", 3}) {
		t.Errorf("the lines are %+v", lines)
	}
	refused(t, order.Try(ctx, nil, "addLine", "cogwheel", 0), "invalid", "quantity")
	var stock int64
	order.Call(t, &stock, "stock", "cogwheel")
	if stock != 997 {
		t.Errorf("the stock is %d", stock)
	}

	s.bank.closed.Store(true)
	err := order.Try(ctx, nil, "pay")
	refused(t, err, "bank")
	if coded, ok := errors.AsType[*pando.Error](err); !ok || !coded.Retry || coded.RetryAfter != 10*time.Second {
		t.Errorf("the error is %+v", coded)
	}
	s.bank.closed.Store(false)
	order.Call(t, nil, "pay")
	if got := order.State().Status; got != Paid || s.bank.charged.Load() != 1 {
		t.Errorf("the order is %s", got)
	}
	refused(t, order.Try(ctx, nil, "addLine", "cogwheel", 1), "conflict")
}

func TestActionsAreLimited(t *testing.T) {
	order := pandotest.Open[Order](t, pandotest.Serve(t, newShop(t).app).Connect(t, "1"), "orders/1")
	refused(t, order.Try(t.Context(), nil, "stock", string(make([]byte, 5000))), "too_large")
	for {
		if err := order.Try(t.Context(), nil, "stock", "cogwheel"); err != nil {
			refused(t, err, "rate_limited")
			break
		}
	}
}
