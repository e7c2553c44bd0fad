package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/world"
)

// writer makes transactions from somewhere. One in this process calls before
// with what will be committed; another does not.
type writer interface {
	perform(ctx context.Context, tx world.Tx, before func(conn *sql.Conn) error) error
	close() error
}

// handle is a writer in this process.
type handle struct {
	database model.Database
	db       *sql.DB
}

func (h handle) perform(ctx context.Context, tx world.Tx, before func(conn *sql.Conn) error) error {
	return world.Perform(ctx, h.database, h.db, tx, before)
}

func (h handle) close() error { return h.db.Close() }

// writerVariable holds the database's name in the environment of a process
// that only writes.
const writerVariable = "SIM_WRITER"

// foreign is a writer in another process: this program, run as runWriter.
type foreign struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	enc *json.Encoder
	out *bufio.Scanner
}

func startForeign(dsn string) (*foreign, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f := &foreign{cmd: exec.CommandContext(context.Background(), program)} //nolint:gosec // itself
	f.cmd.Env = append(os.Environ(), writerVariable+"="+dsn)
	f.cmd.Stderr = os.Stderr
	if f.in, err = f.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	f.enc, f.out = json.NewEncoder(f.in), bufio.NewScanner(out)
	return f, f.cmd.Start()
}

func (f *foreign) perform(_ context.Context, tx world.Tx, _ func(*sql.Conn) error) error {
	if err := f.enc.Encode(tx); err != nil {
		return fmt.Errorf("foreign process: %w", err)
	}
	if !f.out.Scan() {
		return fmt.Errorf("foreign process: no answer: %w", errors.Join(f.out.Err(), io.ErrUnexpectedEOF))
	}
	if refused := f.out.Text(); refused != "" {
		return fmt.Errorf("%w: %s", world.ErrRefused, refused)
	}
	return nil
}

func (f *foreign) close() error { return errors.Join(f.in.Close(), f.cmd.Wait()) }

// runWriter is the other process: it performs the transactions that it reads,
// and answers each with a line, which is empty when it was accepted.
func runWriter(dsn string, in io.Reader, out io.Writer) error {
	database := model.SQLite
	if strings.HasPrefix(dsn, "postgres:") {
		database = model.Postgres
	}
	db, err := sql.Open(drivers[database], dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	for dec := json.NewDecoder(in); ; {
		var tx world.Tx
		if err := dec.Decode(&tx); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		answer := ""
		switch err := world.Perform(context.Background(), database, db, tx, nil); {
		case errors.Is(err, world.ErrRefused):
			answer = fmt.Sprintf("%q", err)
		case err != nil:
			return err
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
}
