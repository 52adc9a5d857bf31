package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
	bolt "go.etcd.io/bbolt"
)

func bboltSystem() harness.System {
	return harness.System{
		Name: "bbolt", Kind: harness.Peer,
		About: "bbolt in the process, one transaction for all waiting appends: a log, and each stream's positions in it; no live readers, no groups",
		Open:  openBBolt,
	}
}

var (
	boltLog     = []byte("log")     // position → data
	boltStreams = []byte("streams") // stream 0x00 revision → position
)

type bboltInstance struct {
	db *bolt.DB
	// One goroutine takes the appends until the channel is closed. (bbolt's own Batch
	// waits a fixed time for more, too long for one append and too short for many.)
	appends chan *boltAppend
	ended   chan struct{} // closed by that goroutine

	mu      sync.Mutex
	filled  []fill // not yet written
	waiting int    // number of events in filled
}

// boltAppend is a waiting append.
type boltAppend struct {
	stream string
	next   int64 // anyNext: wherever the stream ends
	events []harness.Event
	done   chan error // buffered, for the outcome
}

const anyNext = -1

// fill holds the arguments of one call of Fill.
type fill struct {
	stream string
	next   int64
	data   [][]byte
}

func openBBolt(_ context.Context, dir string) (harness.Instance, error) {
	db, err := bolt.Open(filepath.Join(dir, "events.bolt"), 0o644, &bolt.Options{
		Timeout:      time.Second,
		FreelistType: bolt.FreelistMapType,
		// A file that outgrows its mapping must wait for all readers.
		InitialMmapSize: 4 << 30,
	})
	if err != nil {
		return nil, fmt.Errorf("open bbolt: %w", err)
	}

	err = db.Update(func(tx *bolt.Tx) error {
		_, errLog := tx.CreateBucketIfNotExists(boltLog)
		_, errStreams := tx.CreateBucketIfNotExists(boltStreams)
		return errors.Join(errLog, errStreams)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create bbolt's buckets: %w", err), db.Close())
	}
	b := &bboltInstance{db: db, appends: make(chan *boltAppend, 1000), ended: make(chan struct{})}
	go b.commitAppends()
	return b, nil
}

func (b *bboltInstance) Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "go.etcd.io/bbolt" {
				return "bbolt " + m.Version
			}
		}
	}
	return "bbolt"
}

func (b *bboltInstance) Close() error {
	close(b.appends)
	<-b.ended
	return errors.Join(b.Flush(context.Background()), b.db.Close())
}

// Append waits for the outcome even if the context ends: the events belong to the
// caller.
func (b *bboltInstance) Append(ctx context.Context, stream string, next int64, events []harness.Event) error {
	a := &boltAppend{stream: stream, next: next, events: events, done: make(chan error, 1)}
	select {
	case b.appends <- a:
		return <-a.done
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *bboltInstance) AppendAny(ctx context.Context, stream string, events []harness.Event) error {
	return b.Append(ctx, stream, anyNext, events)
}

// commitAppends commits together all appends that arrived during the previous commit.
func (b *bboltInstance) commitAppends() {
	defer close(b.ended)
	for first := range b.appends {
		together := []*boltAppend{first}
		for n := len(b.appends); n > 0; n-- {
			together = append(together, <-b.appends)
		}
		outcomes := make([]error, len(together))
		err := b.db.Update(func(tx *bolt.Tx) error {
			for i, a := range together {
				end := boltEnd(tx, a.stream)
				if a.next != anyNext && a.next != end {
					outcomes[i] = fmt.Errorf("%s has %d events, not %d", a.stream, end, a.next)
					continue // the others are not affected
				}
				if err := boltWrite(tx, a.stream, end, len(a.events), func(i int) []byte { return a.events[i].Data }); err != nil {
					return err
				}
			}
			return nil
		})
		for i, a := range together {
			a.done <- errors.Join(outcomes[i], err)
		}
	}
}

// boltKey returns a stream's key for a revision.
func boltKey(stream string, revision int64) []byte {
	key := make([]byte, 0, len(stream)+9)
	key = append(append(key, stream...), 0)
	return binary.BigEndian.AppendUint64(key, uint64(revision))
}

// boltEnd returns how many events the stream has, as its last key says.
func boltEnd(tx *bolt.Tx, stream string) int64 {
	c := tx.Bucket(boltStreams).Cursor()
	key, _ := c.Seek(append([]byte(stream), 1)) // the first key after the stream's
	if key == nil {
		key, _ = c.Last()
	} else {
		key, _ = c.Prev()
	}
	prefix := append([]byte(stream), 0)
	if !bytes.HasPrefix(key, prefix) {
		return 0
	}
	return int64(binary.BigEndian.Uint64(key[len(prefix):])) + 1
}

func boltWrite(tx *bolt.Tx, stream string, end int64, n int, data func(int) []byte) error {
	log, streams := tx.Bucket(boltLog), tx.Bucket(boltStreams)
	log.FillPercent = 1 // nothing is ever inserted between keys
	for i := range n {
		sequence, err := log.NextSequence()
		if err != nil {
			return err
		}
		position := binary.BigEndian.AppendUint64(nil, sequence)
		if err := log.Put(position, data(i)); err != nil {
			return fmt.Errorf("put event: %w", err)
		}
		if err := streams.Put(boltKey(stream, end+int64(i)), position); err != nil {
			return fmt.Errorf("put position of event: %w", err)
		}
	}
	return nil
}

// Fill collects events until there are a thousand. A transaction with many more is
// slow: its pages are split only at the end, and each key that is inserted between
// others moves those behind it.
func (b *bboltInstance) Fill(_ context.Context, stream string, next int64, events []harness.Event) error {
	f := fill{stream: stream, next: next}
	for _, e := range events {
		f.data = append(f.data, bytes.Clone(e.Data))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.filled = append(b.filled, f)
	b.waiting += len(events)
	if b.waiting >= 1000 {
		return b.flush()
	}
	return nil
}

func (b *bboltInstance) Flush(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flush()
}

func (b *bboltInstance) flush() error {
	if len(b.filled) == 0 {
		return nil
	}
	err := b.db.Update(func(tx *bolt.Tx) error {
		for _, f := range b.filled {
			if end := boltEnd(tx, f.stream); end != f.next {
				return fmt.Errorf("fill: %s has %d events, not %d", f.stream, end, f.next)
			}
			if err := boltWrite(tx, f.stream, f.next, len(f.data), func(i int) []byte { return f.data[i] }); err != nil {
				return err
			}
		}
		return nil
	})
	b.filled, b.waiting = nil, 0
	return err
}

func (b *bboltInstance) ReadStream(ctx context.Context, stream string, yield func([]byte)) error {
	return b.db.View(func(tx *bolt.Tx) error {
		log, c := tx.Bucket(boltLog), tx.Bucket(boltStreams).Cursor()
		first := boltKey(stream, 0)
		prefix := first[:len(stream)+1]
		for key, position := c.Seek(first); bytes.HasPrefix(key, prefix); key, position = c.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			yield(log.Get(position))
		}
		return nil
	})
}

func (b *bboltInstance) ReadLog(ctx context.Context, yield func([]byte)) error {
	return b.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(boltLog).Cursor()
		for key, data := c.First(); key != nil; key, data = c.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			yield(data)
		}
		return nil
	})
}
