package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/world"
)

// nodeVariable holds an assignment in the environment of a process that is a
// node.
const nodeVariable = "SIM_NODE"

// assignment is what a node's process has to know. It comes by its input.
type assignment struct {
	Script *script `json:"script"`
	Index  int     `json:"index"`
	// Database, Broker and Office are where those are; Listen is the node's own
	// address. Names on the broker begin with Prefix.
	Database string `json:"database"`
	Broker   string `json:"broker"`
	Prefix   string `json:"prefix"`
	Office   string `json:"office"`
	Listen   string `json:"listen"`
}

// runNode is the other process: it serves until its input ends, and writes a line
// when it begins to.
func runNode(in io.Reader, out io.Writer) (err error) {
	var a assignment
	dec := json.NewDecoder(in)
	if err := dec.Decode(&a); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := a.serve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(), s.db.Close()) }()
	if err := s.listen(ctx); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	told := make(chan struct{})
	go func() {
		defer close(told)
		var end struct{}
		_ = dec.Decode(&end) // whatever comes is the end
	}()
	select {
	case <-told:
		return nil
	case err := <-s.life.Load().done:
		s.life.Store(nil)
		return errors.Join(errors.New("the app has ended by itself"), err)
	}
}

// serve makes the server.
func (a *assignment) serve(ctx context.Context) (*server, error) {
	desk, err := openBranch(ctx, a.Office)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(drivers[model.Postgres], a.Database+sessions)
	if err != nil {
		return nil, err
	}
	k := a.Script
	log := slog.New(slog.NewTextHandler(desk, &slog.HandlerOptions{Level: slog.LevelWarn})).With("node", a.Index)
	s := k.server(db, log, desk, placeIn(db))
	s.plan.Seed += uint64(a.Index)
	s.bind, s.supervised = a.Listen, true
	c, err := openCarrier(k.Broker, a.Broker, a.Prefix, log)
	if err != nil {
		return nil, err
	}
	s.broker = c.broker
	if k.Cache != "" {
		if err := desk.client.Call("Shelf.Enter", a.Index, &struct{}{}); err != nil {
			return nil, fmt.Errorf("find the cache: %w", err)
		}
		s.cache = func() cache.Store { return &pantry{desk.client} }
		go desk.opened(ctx, s.hits)
	}
	s.source = func(db *sql.DB, log *slog.Logger) (feed.Source, error) {
		return c.source(db, a.Database, log), nil
	}
	return s, nil
}

// server is a server that plays by a script.
func (k *script) server(db *sql.DB, log *slog.Logger, d desk, where func(context.Context) uint64) *server {
	c := &clerk{desk: d, schema: k.Schema, where: where}
	for _, one := range k.Schema.Channels {
		c.structs = append(c.structs, world.Structs(k.Schema, one))
	}
	plan := k.Plan
	plan.Witness = c
	return &server{
		db: db, log: log, plan: plan, schema: k.Schema, logBytes: k.LogBytes, keep: k.Keep, narrow: k.Narrow, linger: k.Linger, clerk: c,
	}
}
