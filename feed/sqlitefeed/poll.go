package sqlitefeed

import (
	"context"
	"errors"
	"io"

	"github.com/pando-sync/pando/feed"
)

// found is what one poll's read transaction saw.
type found struct {
	meta   meta
	schema int64
	// restart is why the sink must start again, empty when it need not.
	restart string
	// changes are those of the only or the last part.
	changes []feed.Change
}

// errRepair tells that the log or its triggers are not in place.
var errRepair = errors.New("the change log is not in place")

// errRestored tells that the log went back to before what was read.
var errRestored = errors.New("the database was restored to an earlier state")

// poll looks once for commits and feeds them to the sink, after the read
// transaction has ended but for the first parts of a large commit. It tells
// whether there were any.
func (r *follower) poll(ctx context.Context) (moved bool, err error) {
	// The version is read before the transaction: a commit in between is read
	// with this poll and costs the next one a look in vain.
	version, err := r.conn.number("PRAGMA data_version")
	if err != nil || version == r.dataVersion {
		return false, err
	}
	seen, err := r.readLog(ctx)
	switch {
	case errors.Is(err, errRepair):
		r.reason = "a followed table was rebuilt, or triggers on it were added, removed or replaced"
		return true, r.repair(ctx, false)
	case errors.Is(err, errRestored):
		r.reason = err.Error()
		return true, r.repair(ctx, true)
	case err != nil:
		return false, err
	}
	r.dataVersion, r.schemaVersion = version, seen.schema
	return r.deliver(seen), nil
}

// deliver feeds the sink and tells whether the feed moved.
func (r *follower) deliver(seen *found) bool {
	head := seen.meta.head
	switch {
	case seen.restart != "":
		r.sink.Start(seen.meta.epoch, head, seen.restart)
	case head == r.last:
		return false
	case len(seen.changes) == 0:
		r.sink.Advance(head)
	default:
		r.sink.Commit(&feed.Commit{Position: head, Changes: seen.changes})
	}
	r.epoch, r.last, r.reason, r.torn = seen.meta.epoch, head, "", false
	r.position.Store(uint64(head))
	return true
}

// readLog reads, in one transaction, what happened since the last poll.
func (r *follower) readLog(ctx context.Context) (seen *found, err error) {
	if err := r.conn.begin(); err != nil {
		return nil, err
	}
	defer func() {
		if e := r.conn.end(); err == nil {
			err = e
		}
	}()
	seen = &found{}
	if seen.schema, err = r.conn.number("PRAGMA schema_version"); err != nil {
		return nil, err
	}
	if seen.schema != r.schemaVersion {
		if err := r.checkSchema(ctx); err != nil {
			return nil, err
		}
	}
	seen.meta, err = readMeta(r.conn)
	if errors.Is(err, io.EOF) {
		return nil, errRepair
	}
	if err != nil {
		return nil, err
	}
	if seen.restart, err = r.broken(seen.meta); seen.restart != "" || err != nil {
		return seen, err
	}
	if seen.meta.head > r.last {
		seen.changes, err = r.decoder.read(ctx, r.conn, r.last, func(part []feed.Change) {
			r.torn = true
			r.sink.Commit(&feed.Commit{Position: seen.meta.head, Changes: part, More: true})
		})
	}
	return seen, err
}

// checkSchema makes sure that all is in place in a schema not seen before,
// and reads what the log's rows mean in it.
func (r *follower) checkSchema(ctx context.Context) error {
	ok, err := inPlace(ctx, r.conn, r.tables)
	if err != nil {
		return err
	}
	if !ok {
		return errRepair
	}
	if r.decoder != nil {
		r.decoder.forget(r.conn)
	}
	r.decoder, err = newDecoder(ctx, r.conn, r.source, r.tables)
	return err
}

// broken tells why the log does not continue what the sink knows.
func (r *follower) broken(m meta) (reason string, err error) {
	switch {
	case r.epoch == "":
		return "following begins", nil
	case r.torn:
		return "a large commit could not be read to its end", nil
	case m.epoch != r.epoch && r.reason != "":
		return r.reason, nil
	case m.epoch != r.epoch:
		return "the change log was begun anew or its triggers replaced", nil
	case m.trimmed > r.last:
		return "the change log was trimmed past what was read", nil
	case m.head < r.last:
		return "", errRestored
	}
	return "", nil
}
