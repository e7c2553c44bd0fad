// Servers starts a PostgreSQL with an empty database and a NATS for a test in
// another language, prints their URLs as one line of JSON, and ends them when its
// input ends, however its parent has.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pando-sync/pando/internal/servers"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		os.Exit(1)
	}
}

// patience bounds the start.
const patience = time.Minute

func run(in io.Reader, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	database, err := servers.Postgres(ctx, servers.PostgresOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	broker, err := servers.NATS(ctx, servers.NATSOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	urls := struct {
		Database string `json:"database"`
		Broker   string `json:"broker"`
	}{database.URL(), broker.URL()}
	if err := json.NewEncoder(out).Encode(urls); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}
