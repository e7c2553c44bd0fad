package main

import (
	"context"
	"database/sql"
	"time"

	"github.com/pando-sync/pando"
)

// Report is a row that takes long to make.
type Report struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	Total *int64 `json:"total"`
}

// ReportRuntime is what one open report knows besides its row.
type ReportRuntime struct {
	Percent int        `json:"percent"`
	Note    string     `json:"note,omitempty"`
	Since   *time.Time `json:"since"`
	secret  string     // not exported: stays on the server
}

// ReportChannel makes reports.
type ReportChannel struct {
	pando.Channel[Report, ReportRuntime]
	everyone
}

// OnConnect runs after permission was granted, before anything is sent.
func (c *ReportChannel) OnConnect(context.Context) error {
	if c.Resumed() {
		return nil // Percent and Note are those that the client had
	}
	return c.SetRuntime(func(r *ReportRuntime) { r.Note, r.secret = "not begun", "anything" })
}

// Make adds up the report, and tells how far it is.
func (c *ReportChannel) Make(ctx context.Context) (total int64, err error) {
	for part := range int64(10) {
		total += part
		if err := c.SetRuntime(func(r *ReportRuntime) { r.Percent, r.Note = int(part+1)*10, "" }); err != nil {
			return 0, err
		}
	}
	return total, c.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE reports SET total = ? WHERE id = ?`, total, c.Args().Int("report_id"))
		return err
	})
}

// Percent returns what the stream has.
func (c *ReportChannel) Percent(context.Context) (int, error) { return c.Runtime().Percent, nil }

func runtimes(app *pando.App) {
	app.Handle("reports/{report_id}", pando.For(
		func() *ReportChannel { return &ReportChannel{} },
		pando.Actions((*ReportChannel).Make, (*ReportChannel).Percent),
	))
	app.Handle("fresh-reports/{report_id}", pando.For(
		func() *FreshReportChannel { return &FreshReportChannel{} },
		pando.FreshRuntime(),
	))
}

// FreshReportChannel begins anew after each lost connection.
type FreshReportChannel struct {
	pando.Channel[Report, ReportRuntime]
	everyone
}

// OnConnect notes since when the connection has lasted.
func (c *FreshReportChannel) OnConnect(context.Context) error {
	now := time.Now()
	return c.SetRuntime(func(r *ReportRuntime) { r.Since = &now })
}
