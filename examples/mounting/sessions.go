package mounting

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"reflect"

	"github.com/pando-sync/pando/token"
)

// Session is a row of the table in which the program keeps who is logged in.
type Session struct {
	ID     string `db:"id" pando:"key"`
	UserID int64  `db:"user_id"`
}

// Sessions knows callers by the program's own cookie.
func Sessions(db *sql.DB) *token.Cookies {
	return token.Session(func(ctx context.Context, r *http.Request) (token.Identity, error) {
		cookie, err := r.Cookie("session")
		if err != nil {
			return token.Identity{}, token.ErrNone
		}
		var user string
		err = db.QueryRowContext(ctx, `SELECT user_id FROM sessions WHERE id = ?`, cookie.Value).Scan(&user)
		if errors.Is(err, sql.ErrNoRows) {
			return token.Identity{}, token.ErrInvalid
		}
		return token.Identity{ID: user}, err
	}, token.Credential{Row: reflect.TypeFor[Session](), Column: "user_id"})
}
