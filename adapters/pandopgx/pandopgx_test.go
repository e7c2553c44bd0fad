package pandopgx_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/adapters/pandopgx"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/pandotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

type (
	Sheet struct {
		ID    int64  `json:"id"`
		Title string `json:"title"`
		Cells []Cell `json:"cells" pando:"order:id"`
	}
	Cell struct {
		ID    int64  `json:"id"`
		Value string `json:"value"`
	}
)

type SheetChannel struct {
	pando.Channel[Sheet, pando.NoRuntime]
}

func (c *SheetChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// Fill copies cells into the sheet, and takes back half of them.
func (c *SheetChannel) Fill(ctx context.Context, tx *sql.Tx, values []string) (cells int64, err error) {
	if _, err := tx.ExecContext(ctx, "UPDATE sheets SET title = 'by database/sql'"); err != nil {
		return 0, err
	}
	err = pandopgx.Tx(ctx, tx, func(tx pgx.Tx) error {
		cells, err = tx.CopyFrom(ctx, pgx.Identifier{"cells"}, []string{"sheet_id", "value"},
			pgx.CopyFromSlice(len(values), func(i int) ([]any, error) { return []any{1, values[i]}, nil }))
		if err != nil {
			return err
		}
		inner, err := tx.Begin(ctx)
		if err != nil {
			return err
		}
		if _, err := inner.Exec(ctx, "DELETE FROM cells"); err != nil {
			return err
		}
		return inner.Rollback(ctx)
	})
	if err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, "UPDATE sheets SET title = title || ', twice'")
	return cells, err
}

// Ruin writes, and fails.
func (c *SheetChannel) Ruin(ctx context.Context, tx *sql.Tx) error {
	return pandopgx.Tx(ctx, tx, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue("DELETE FROM cells")
		batch.Queue("UPDATE sheets SET title = 'ruined'")
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		if tx.Commit(ctx) == nil || tx.Rollback(ctx) == nil {
			return errors.New("pgx has ended a transaction that is not its own")
		}
		return pando.Errorf("refused", "taken back")
	})
}

func serve(t *testing.T) (*pgxpool.Pool, *pandotest.Stream[Sheet]) {
	t.Helper()
	servers.Need(t, "postgres")
	pool, err := pgxpool.New(t.Context(), servers.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), `CREATE TABLE sheets (id bigint PRIMARY KEY, title text NOT NULL);
		CREATE TABLE cells (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, sheet_id bigint NOT NULL, value text NOT NULL);
		INSERT INTO sheets VALUES (1, '')`)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	source := pgfeed.FromPool(pool, pgfeed.WithLogger(quiet))
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
	app, err := pando.New(pando.Config{Source: source, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("sheets/{sheet_id}", pando.For(func() *SheetChannel { return &SheetChannel{} },
		pando.Public(), pando.Actions((*SheetChannel).Fill, (*SheetChannel).Ruin)))
	return pool, pandotest.Open[Sheet](t, pandotest.Serve(t, app).Connect(t, ""), "sheets/1")
}

func TestTx(t *testing.T) {
	pool, sheet := serve(t)
	var cells int
	sheet.Call(t, &cells, "fill", []string{"a", "b", "c"})
	if cells != 3 {
		t.Errorf("%d cells were copied, want 3", cells)
	}
	sheet.Wait(t, "what both have written", func(s *Sheet) bool {
		return s.Title == "by database/sql, twice" && len(s.Cells) == 3 && s.Cells[2].Value == "c"
	})
	if err := sheet.Try(t.Context(), nil, "ruin"); err == nil || !strings.Contains(err.Error(), "taken back") {
		t.Errorf("the action that fails: %v", err)
	}
	var left int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM cells").Scan(&left); err != nil || left != 3 {
		t.Errorf("%d cells are left (%v), want 3", left, err)
	}
}

// TestTxThatHasFailed borrows a transaction of which a statement has failed.
func TestTxThatHasFailed(t *testing.T) {
	servers.Need(t, "postgres")
	db, err := sql.Open("pgx", servers.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "SELECT nothing FROM nowhere"); err == nil {
		t.Fatal("there is a table nowhere")
	}
	err = pandopgx.Tx(t.Context(), tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "SELECT 1")
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "25P02") {
		t.Errorf("a statement in a transaction that has failed: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Errorf("roll back: %v", err)
	}
	if err := pandopgx.Tx(t.Context(), tx, func(pgx.Tx) error { return nil }); !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("a transaction that is over: %v", err)
	}
}

func TestOtherDriver(t *testing.T) {
	tx, err := pandotest.Database(t).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	called := false
	err = pandopgx.Tx(t.Context(), tx, func(pgx.Tx) error { called = true; return nil })
	if called || err == nil || !strings.Contains(err.Error(), "driver pgx") {
		t.Errorf("a transaction of SQLite: called %v, %v", called, err)
	}
}
