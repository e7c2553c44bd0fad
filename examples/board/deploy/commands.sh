#!/bin/sh
# What the guides run, from the repository's root.

# One server, one file.
go run ./examples/board runserver

# The same program on PostgreSQL and NATS, twice.
export PANDO_DB=postgres://board:secret@localhost/board PANDO_BROKER=nats://localhost:4222
go run ./examples/board runserver --addr 127.0.0.1:8001 &
go run ./examples/board runserver --addr 127.0.0.1:8002 &

# What is missing or could be better, before anybody is served.
go run ./examples/board check
