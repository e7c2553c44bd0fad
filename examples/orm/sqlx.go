package orm

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/adapters/pandopgx"
	"github.com/pando-sync/pando/feed"
)

// Station and Reading are structs that sqlx scans, by the same db tags.
type Station struct {
	ID       int64     `db:"id"`
	Name     string    `db:"station_name"`
	Readings []Reading `pando:"order:id"`
}

// Reading is what a station has measured.
type Reading struct {
	ID        int64   `db:"id"`
	StationID int64   `db:"station_id"`
	Celsius   float64 `db:"celsius"`
}

// StationChannel has a station with its readings.
type StationChannel struct {
	pando.Channel[Station, pando.NoRuntime]

	db *sqlx.DB
}

// HasPermission lets everybody in.
func (c *StationChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// AddReading adds a reading, once, by sqlx's named parameters.
func (c *StationChannel) AddReading(ctx context.Context, tx *sql.Tx, celsius float64) error {
	reading := Reading{StationID: c.Args().Int("station_id"), Celsius: celsius}
	query, args, err := c.db.BindNamed(`INSERT INTO readings (station_id, celsius) VALUES (:station_id, :celsius)`, reading)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, query, args...)
	return err
}

// Import adds many readings by COPY, which pgx has.
func (c *StationChannel) Import(ctx context.Context, tx *sql.Tx, celsius []float64) error {
	station := c.Args().Int("station_id")
	return pandopgx.Tx(ctx, tx, func(tx pgx.Tx) error {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"readings"}, []string{"station_id", "celsius"},
			pgx.CopyFromSlice(len(celsius), func(i int) ([]any, error) { return []any{station, celsius[i]}, nil }))
		return err
	})
}

// WithSQLX returns the app over the tables that db has open.
func WithSQLX(db *sqlx.DB, source feed.Source) (*pando.App, error) {
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		return nil, err
	}
	app.Handle("stations/{station_id}", pando.For(func() *StationChannel { return &StationChannel{db: db} },
		pando.Public(),
		pando.Actions((*StationChannel).AddReading, (*StationChannel).Import),
	))
	return app, nil
}
