package state

import (
	"fmt"
	"time"

	"github.com/pando-sync/pando"
)

// Account shows what a field's tags do.
type Account struct {
	ID       int64          `json:"id"`
	Nick     string         `json:"name" pando:"column:nickname"`     // another name in the database
	Email    string         `json:"-"`                                // not sent; methods may read it
	Password string         `json:"password" pando:"-"`               // not part of the declaration
	Tokens   int            `json:"token_count" pando:"public"`       // named like a secret, and is none
	Since    time.Time      `json:"since" pando:"readonly"`           // no client may write it
	PIN      string         `json:"pin" pando:"writeonly"`            // clients may write it, none is sent it
	Cents    int64          `json:"balance" pando:"represent:Amount"` // another form
	Settings map[string]any `json:"settings"`                         // a JSON column
}

// Amount is the balance as people write it.
func (a *Account) Amount() string { return fmt.Sprintf("%d.%02d", a.Cents/100, a.Cents%100) }

// AccountChannel shows one account.
type AccountChannel struct {
	pando.Channel[Account, pando.NoRuntime]
	everyone
}

func fields(app *pando.App) {
	app.Handle("accounts/{account_id}", pando.For(func() *AccountChannel { return &AccountChannel{} }))
}
