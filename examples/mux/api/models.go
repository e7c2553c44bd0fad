// Package api is the messages: their model, REST endpoints that know nothing of
// WebSockets, and the binding and demultiplexer that keep every page live.
package api

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pando-sync/pando"
)

// Message is one message, as models.Message is in Django: a row of the table
// messages.
type Message struct {
	ID      int64  `json:"id"`
	Message string `json:"message"`
	// Author is a username. The server sets it: clients are told, and cannot write it.
	Author    string    `json:"author" pando:"readonly"`
	CreatedAt time.Time `json:"created_at" pando:"readonly"`
}

// maxMessage is the length of a message, in characters.
const maxMessage = 500

// Validate refuses a message before it is written, whichever way it comes: as a
// serializer's validate method does.
func (m *Message) Validate() error {
	if strings.TrimSpace(m.Message) == "" {
		return pando.Invalid("message", "the message is empty")
	}
	if n := utf8.RuneCountInString(m.Message); n > maxMessage {
		return pando.Invalid("message", "the message has %d characters: %d are the most", n, maxMessage)
	}
	return nil
}

// The table in each dialect; all other statements are those that both share.
var (
	//go:embed tables.sqlite.sql
	sqliteTables string
	//go:embed tables.postgres.sql
	postgresTables string
)

// Migrate creates the table unless it is there.
func Migrate(ctx context.Context, db *sql.DB, postgres bool) error {
	tables := sqliteTables
	if postgres {
		tables = postgresTables
	}
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return fmt.Errorf("create the table of messages: %w", err)
	}
	return nil
}

// querier is a database or a transaction of it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const columns = `id, message, author, created_at`

// insert writes a message and returns it as the database has it.
func insert(ctx context.Context, q querier, author, text string) (Message, error) {
	return scan(q.QueryRowContext(ctx, `INSERT INTO messages (message, author) VALUES ($1, $2) RETURNING `+columns, text, author))
}

// find returns sql.ErrNoRows for a message that is gone.
func find(ctx context.Context, q querier, id int64) (Message, error) {
	return scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM messages WHERE id = $1`, id))
}

// scan reads the columns of a message.
func scan(row interface{ Scan(into ...any) error }) (m Message, err error) {
	return m, row.Scan(&m.ID, &m.Message, &m.Author, &m.CreatedAt)
}
