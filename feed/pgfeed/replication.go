package pgfeed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// The times of a replication connection.
const (
	// beat is how often the server is asked for a sign of life.
	beat = 300 * time.Millisecond
	// silence is after how long without one the feed stands still.
	silence = time.Second
	// death is after how long the connection is given up.
	death = 15 * time.Second
	// senderTimeout is after how long the server gives up a connection, and with
	// it the slot: the next owner need not wait for longer.
	senderTimeout = "5s"
)

// textSettings shape the texts of values. They are the same on every connection
// whose values are read.
var textSettings = map[string]string{
	"client_encoding":    "UTF8",
	"datestyle":          "ISO",
	"intervalstyle":      "postgres",
	"timezone":           "UTC",
	"extra_float_digits": "3",
	"bytea_output":       "hex",
}

// connectReplication opens a connection that takes commands of replication.
func connectReplication(ctx context.Context, url string) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the replication URL: %w", err)
	}
	maps.Copy(config.RuntimeParams, textSettings)
	maps.Copy(config.RuntimeParams, map[string]string{
		"replication":        "database",
		"application_name":   "pando",
		"statement_timeout":  "0",
		"lock_timeout":       "0",
		"wal_sender_timeout": senderTimeout,
	})
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect for replication: %w", err)
	}
	return conn, nil
}

// command runs a command of replication and returns its only row, by column.
func command(ctx context.Context, conn *pgconn.PgConn, sql string) (map[string]string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return nil, fmt.Errorf("%q has no row", sql)
	}
	row := make(map[string]string)
	for i, description := range results[0].FieldDescriptions {
		row[description.Name] = string(results[0].Rows[0][i])
	}
	return row, nil
}

// stream is the change log of one slot as it comes from the server. receive
// has one caller; confirm and close have any.
type stream struct {
	conn     net.Conn
	frontend *pgproto3.Frontend
	// confirmed is up to where the server need not keep the log.
	confirmed atomic.Uint64
	// quiet is for how long nothing has come while it was waited for.
	quiet time.Duration
	// asked wakes the goroutine that answers the server.
	asked chan struct{}
	done  chan struct{} // closed when that has ended
	stop  context.CancelFunc

	mu   sync.Mutex  // guards what follows
	gone func(error) // is told when nothing can be written any more
}

// startStream begins to stream from a slot, at what was confirmed. The
// connection is the stream's, also after an error.
func startStream(ctx context.Context, conn *pgconn.PgConn, slot, publication string, confirmed uint64) (*stream, error) {
	hijacked, err := conn.Hijack()
	if err != nil {
		return nil, err
	}
	s := &stream{conn: hijacked.Conn, frontend: hijacked.Frontend, asked: make(chan struct{}, 1), done: make(chan struct{}), gone: func(error) {}}
	s.confirmed.Store(confirmed)
	release := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(past) })
	err = s.begin(slot, publication)
	release()
	if err == nil {
		err = errors.Join(ctx.Err(), s.conn.SetReadDeadline(time.Now().Add(silence)))
	}
	if err != nil {
		s.conn.Close()
		return nil, fmt.Errorf("start replication from slot %q: %w", slot, err)
	}
	beating, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.answer(beating)
	return s, nil
}

// past is a deadline that ends reads and writes at once.
var past = time.Unix(1, 0)

func (s *stream) begin(slot, publication string) error {
	s.frontend.SendQuery(&pgproto3.Query{String: fmt.Sprintf(
		"START_REPLICATION SLOT %s LOGICAL 0/0 (proto_version '2', publication_names %s, messages 'true')",
		quote(slot), literal(quote(publication)))})
	if err := s.frontend.Flush(); err != nil {
		return err
	}
	for {
		received, err := s.frontend.Receive()
		if err != nil {
			return err
		}
		switch received := received.(type) {
		case *pgproto3.CopyBothResponse:
			return nil
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(received)
		default: // notices and settings
		}
	}
}

// received is one message of the stream.
type received struct {
	// data is a message of the output plugin, nil for a sign of life. It may be
	// used until the next receive.
	data []byte
	// end is where the server has come to in the log, of a sign of life.
	end uint64
}

// errSilent tells that nothing has come for a while. The stream may go on.
var errSilent = errors.New("PostgreSQL does not answer on the replication connection")

// waiting tells whether another message has come already.
func (s *stream) waiting() bool { return s.frontend.ReadBufferLen() > 0 }

// receive waits for the next message. It returns errSilent, and may be called
// again, when there was none for as long as silence.
func (s *stream) receive(ctx context.Context) (received, error) {
	release := func() bool { return true }
	defer func() { release() }()
	for armed, arm := false, !s.waiting(); ; {
		if arm {
			var err error
			if release, err = s.arm(ctx); err != nil {
				return received{}, err
			}
			armed, arm = true, false
		}
		r, err := s.next()
		switch {
		case err == nil && r == nil:
		case err == nil:
			return *r, nil
		case ctx.Err() != nil:
			return received{}, ctx.Err()
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return received{}, fmt.Errorf("read the replication stream: %w", err)
		case armed:
			return received{}, s.silent()
		default: // the deadline of an earlier call, in the middle of a message
			arm = true
		}
	}
}

// arm has what waits for the server end after a silence, or with the context.
func (s *stream) arm(ctx context.Context) (release func() bool, err error) {
	// The deadline is set before the context is watched, or it would undo what an
	// end of the context did.
	if err := s.conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return func() bool { return true }, fmt.Errorf("read the replication stream: %w", err)
	}
	return context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(past) }), nil
}

func (s *stream) silent() error {
	if s.quiet += silence; s.quiet >= death {
		return fmt.Errorf("%w for %s", errDead, s.quiet)
	}
	return errSilent
}

// errDead tells that the connection is given up.
var errDead = errors.New("PostgreSQL has not answered on the replication connection")

// next reads one message, nil for one that says nothing.
func (s *stream) next() (*received, error) {
	message, err := s.frontend.Receive()
	if err != nil {
		return nil, err
	}
	s.quiet = 0
	switch message := message.(type) {
	case *pgproto3.CopyData:
		return s.copied(message.Data)
	case *pgproto3.ErrorResponse:
		return nil, pgconn.ErrorResponseToPgError(message)
	case *pgproto3.CopyDone, *pgproto3.CommandComplete:
		return nil, errors.New("PostgreSQL has ended the stream")
	default: // notices and settings
		return nil, nil
	}
}

func (s *stream) copied(data []byte) (*received, error) {
	const dataHeader, lifeLength = 1 + 3*8, 1 + 2*8 + 1
	switch {
	case len(data) > dataHeader && data[0] == pgproto3CopyData:
		return &received{data: data[dataHeader:]}, nil
	case len(data) == lifeLength && data[0] == pgproto3KeepAlive:
		if data[lifeLength-1] != 0 {
			s.answerSoon()
		}
		return &received{end: binary.BigEndian.Uint64(data[1:])}, nil
	default:
		return nil, errGarbage
	}
}

// The first bytes of what a stream carries.
const (
	pgproto3CopyData  = 'w'
	pgproto3KeepAlive = 'k'
)

// confirm tells the server that it need not keep the log before a place.
func (s *stream) confirm(lsn uint64) {
	for {
		before := s.confirmed.Load()
		if lsn <= before || s.confirmed.CompareAndSwap(before, lsn) {
			return
		}
	}
}

func (s *stream) answerSoon() {
	select {
	case s.asked <- struct{}{}:
	default:
	}
}

// answer tells the server what is confirmed, and asks it for a sign of life,
// until the stream ends.
func (s *stream) answer(ctx context.Context) {
	defer close(s.done)
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		if err := s.status(); err != nil {
			s.mu.Lock()
			gone := s.gone
			s.mu.Unlock()
			gone(fmt.Errorf("write to the replication stream: %w", err))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-s.asked:
		case <-ticker.C:
		}
	}
}

// status sends what is confirmed and asks for an answer.
func (s *stream) status() error {
	confirmed := s.confirmed.Load()
	b := make([]byte, 0, 64)
	b = append(b, 'd', 0, 0, 0, 4+34, 'r')
	for range 3 { // written, flushed, applied
		b = binary.BigEndian.AppendUint64(b, confirmed)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(time.Since(postgresEpoch).Microseconds()))
	b = append(b, 1)
	if err := s.conn.SetWriteDeadline(time.Now().Add(death)); err != nil {
		return err
	}
	_, err := s.conn.Write(b)
	return err
}

// whenGone has fn be told when nothing can be written any more.
func (s *stream) whenGone(fn func(error)) {
	s.mu.Lock()
	s.gone = fn
	s.mu.Unlock()
}

// postgresEpoch is where PostgreSQL counts time from.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// close ends the stream, with a last word of what is confirmed, and waits, not
// for long, until the server has released the slot.
func (s *stream) close() {
	s.stop()
	_ = s.conn.SetWriteDeadline(past) // ends a write that hangs
	<-s.done
	if s.status() == nil {
		if _, err := s.conn.Write(goodbye); err == nil && s.conn.SetReadDeadline(time.Now().Add(silence)) == nil {
			_, _ = io.Copy(io.Discard, s.conn) // up to the end of the connection
		}
	}
	s.conn.Close()
}

// goodbye ends the copying and then the connection.
var goodbye = []byte{'c', 0, 0, 0, 4, 'X', 0, 0, 0, 4}
