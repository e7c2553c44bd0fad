package natsbroker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pando-sync/pando/broker"
)

// Stream is one process's end of a broker.Stream on JetStream. It has a
// connection of its own, so that a long catching up holds up no messages.
type Stream struct {
	cfg    Config
	limits broker.StreamConfig
	// name is the author's, id JetStream's.
	name, id string
	subjects subjects
	link     *link
	js       jetstream.JetStream
	forget   func()
	// subject is the stream's as it was last seen.
	subject atomic.Value // of string
	// limited tells that the stream has had the limits of the configuration.
	limited atomic.Bool
}

var _ broker.Stream = (*Stream)(nil)

// dedupWindow is how long JetStream knows the names of records, by which one is
// stored only after the one before.
const dedupWindow = 5 * time.Second

// Stream opens the stream of that name, and makes it where there is none. Where
// it is there its limits are set to those of cfg, which should be the same in all
// processes. While NATS is not there, or does not answer, that waits for the first
// call that needs the stream. It is closed with the Broker at the latest.
func (b *Broker) Stream(name string, cfg broker.StreamConfig) (*Stream, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, err
	}
	if err := broker.CheckGroup(name); err != nil {
		return nil, fmt.Errorf("natsbroker: the stream's name: %w", err)
	}
	s := &Stream{cfg: b.cfg, limits: cfg, name: name, id: b.subjects.streamName(name), subjects: b.subjects}
	s.forget = func() { b.drop(s) }
	// What is lost with the connection each call finds out for itself.
	s.link = &link{slow: func(*nats.Subscription) {}, down: func() {}, back: func() {}, first: func() {}}
	if err := s.link.connect(b.cfg); err != nil {
		return nil, err
	}
	s.link.begin()
	if err := s.open(); err != nil {
		s.link.close()
		return nil, err
	}
	if err := b.adopt(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stream) open() (err error) {
	if s.js, err = jetstream.New(s.link.nc, jetstream.WithPublishAsyncTimeout(answerTimeout)); err != nil {
		return fmt.Errorf("natsbroker: %w", err)
	}
	ctx, stop := s.link.during(context.Background())
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, errSilent)
	defer cancel()
	if _, err = s.look(ctx); err != nil {
		err = s.link.why(ctx, err)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLost), errors.Is(err, errSilent):
		s.link.log.Warn("the stream of NATS is not there yet: trying again", "stream", s.name, "error", err)
		return nil
	}
	return fmt.Errorf("natsbroker: stream %s: %w", s.name, err)
}

// hint adds to an error what to do about it.
func (s *Stream) hint(err error) error {
	var coded *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: switch on JetStream in the server's configuration, if it is not only late", err)
	case errors.As(err, &coded) && (coded.ErrorCode == codeNoStorage || coded.ErrorCode == codeNoStore):
		return fmt.Errorf("%w: set max_file_store of the server above %d, or MaxBytes lower", err, s.limits.MaxBytes)
	case errors.As(err, &coded) && (coded.ErrorCode == codeNoPeers || coded.ErrorCode == codeNoCluster):
		return fmt.Errorf("%w: the cluster needs %d servers for Config.Replicas", err, s.cfg.Replicas)
	}
	return err
}

// Codes of JetStream's errors that its client does not name.
const (
	codeNoPeers   = 10005
	codeNoStore   = 10023
	codeNoStorage = 10047
	codeWrongID   = 10070
	codeNoCluster = 10074
)

// config is that of a stream which begins now.
func (s *Stream) config(identity string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: s.id, Description: "The change feed of Pando", Subjects: []string{s.subjects.streamSubject(s.name, identity)},
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxAge: s.limits.MaxAge, MaxBytes: s.limits.MaxBytes, MaxMsgs: -1, MaxMsgSize: -1, MaxConsumers: -1,
		Duplicates: min(dedupWindow, s.limits.MaxAge), Replicas: s.cfg.Replicas,
		DenyDelete: true, // a record that is removed from the middle would be a hole
	}
}

// look finds the stream, or makes it, and gives it its limits once. From then on
// Append writes to that one.
func (s *Stream) look(ctx context.Context) (jetstream.Stream, error) {
	for {
		found, err := s.find(ctx)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			found, err = s.js.CreateStream(ctx, s.config(strings.ToLower(rand.Text())))
		}
		switch {
		case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse): // another process has made it meanwhile
		case err != nil:
			return nil, s.hint(err)
		default:
			s.subject.Store(subjectOf(found))
			return found, s.limit(ctx, found.CachedInfo().Config)
		}
	}
}

// find finds the stream.
func (s *Stream) find(ctx context.Context) (jetstream.Stream, error) {
	found, err := s.js.Stream(ctx, s.id)
	if err != nil {
		return nil, err
	}
	all := found.CachedInfo().Config.Subjects
	if len(all) != 1 || !strings.HasPrefix(all[0], s.subjects.streamSubject(s.name, "")) {
		return nil, fmt.Errorf("JetStream's stream %s is none of Pando's: remove it, or take another Config.Prefix", s.id)
	}
	return found, nil
}

// subjectOf is the stream's subject, which tells it from others of its name.
func subjectOf(found jetstream.Stream) string { return found.CachedInfo().Config.Subjects[0] }

// limit gives the stream the limits of the configuration, once.
func (s *Stream) limit(ctx context.Context, is jetstream.StreamConfig) error {
	if s.limited.Load() {
		return nil
	}
	want := s.config("")
	if is.MaxAge != want.MaxAge || is.MaxBytes != want.MaxBytes || is.Replicas != want.Replicas {
		is.MaxAge, is.MaxBytes, is.Replicas, is.Duplicates = want.MaxAge, want.MaxBytes, want.Replicas, want.Duplicates
		if _, err := s.js.UpdateStream(ctx, is); err != nil {
			return s.hint(err)
		}
	}
	s.limited.Store(true)
	return nil
}

// First implements broker.Stream.
func (s *Stream) First(ctx context.Context) (broker.Record, error) {
	r, err := s.one(ctx, func(state jetstream.StreamState) uint64 { return state.FirstSeq })
	return r, wrap("first record", err)
}

// Last implements broker.Stream.
func (s *Stream) Last(ctx context.Context) (broker.Record, error) {
	r, err := s.one(ctx, func(state jetstream.StreamState) uint64 { return state.LastSeq })
	return r, wrap("last record", err)
}

func wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}

func (s *Stream) one(ctx context.Context, which func(jetstream.StreamState) uint64) (broker.Record, error) {
	if err := s.check(ctx); err != nil {
		return broker.Record{}, err
	}
	ctx, stop := s.link.during(ctx)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, errSilent)
	defer cancel()
	for {
		found, err := s.look(ctx)
		if err != nil {
			return broker.Record{}, s.link.why(ctx, err)
		}
		state := found.CachedInfo().State
		if state.Msgs == 0 {
			return broker.Record{Number: state.LastSeq}, broker.ErrNoRecord
		}
		message, err := found.GetMsg(ctx, which(state))
		switch {
		case err == nil:
			return broker.Record{Number: message.Sequence, Time: message.Time, Body: message.Data}, nil
		case !errors.Is(err, jetstream.ErrMsgNotFound): // else it was trimmed meanwhile
			return broker.Record{}, s.link.why(ctx, err)
		}
	}
}

// check returns an error for a stream that is closed, and a context that has
// ended.
func (s *Stream) check(ctx context.Context) error {
	if s.link.nc.IsClosed() {
		return broker.ErrClosed
	}
	return ctx.Err()
}

// Reader implements broker.Stream.
func (s *Stream) Reader(ctx context.Context, from uint64) (broker.Reader, error) {
	if err := s.check(ctx); err != nil {
		return nil, wrap("read", err)
	}
	return newReader(s, from), nil
}

// Close implements broker.Stream.
func (s *Stream) Close() error {
	s.forget()
	s.link.close()
	return nil
}

// adopt has a stream be closed with the Broker.
func (b *Broker) adopt(s *Stream) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.open(); err != nil {
		return err
	}
	b.streams[s] = struct{}{}
	return nil
}

func (b *Broker) drop(s *Stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.streams, s)
}
