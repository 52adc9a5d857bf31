//go:build fdb

package systems

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/engine/fdbengine/fdbtest"
	"github.com/fdbevents/fdbevents/tuple"
)

// WithFoundationDB says whether this program was built with the tag fdb.
const WithFoundationDB = true

func foundationDB() []harness.System {
	return []harness.System{
		{
			Name: "fdbevents-fdb", Kind: harness.Subject, About: aboutOnFoundationDB,
			Open: func(ctx context.Context, _ string) (harness.Instance, error) { return openOnCluster(ctx, 0) },
			OpenPartitioned: func(ctx context.Context, _ string, partitions int) (harness.Instance, error) {
				return openOnCluster(ctx, partitions)
			},
		},
		{
			Name: "fdb", Kind: harness.Limit, About: aboutFoundationDB,
			Open: func(ctx context.Context, _ string) (harness.Instance, error) { return openPlain(ctx) },
		},
	}
}

// cluster is a FoundationDB cluster, with a name for keys that nobody else uses.
type cluster struct {
	file   string
	name   string
	server *fdbtest.Server // nil when we did not start the cluster
}

const startTime = 2 * time.Minute

func openCluster(ctx context.Context) (*cluster, error) {
	c := &cluster{file: os.Getenv(fdbtest.Variable), name: "bench-" + rand.Text()}
	if c.file != "" {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	var err error
	if c.server, err = fdbtest.Start(ctx); errors.Is(err, fdbtest.ErrNoServer) {
		return nil, fmt.Errorf("%w: %w, and %s is not set", harness.ErrMissing, err, fdbtest.Variable)
	} else if err != nil {
		return nil, err
	}
	c.file = c.server.ClusterFile()
	return c, nil
}

// Close stops our own server; on another cluster, it removes what was written.
func (c *cluster) Close() error {
	if c.server != nil {
		return c.server.Stop()
	}
	db, err := fdb.OpenDatabase(c.file)
	if err != nil {
		return err
	}
	_, err = db.Transact(func(tr fdb.Transaction) (any, error) {
		prefix := c.prefix()
		tr.ClearRange(fdb.KeyRange{Begin: fdb.Key(prefix), End: fdb.Key(end(prefix))})
		return nil, nil
	})
	return err
}

// prefix returns the key prefix that the name stands for in a URL: a tuple.
func (c *cluster) prefix() []byte { return tuple.AppendString(nil, c.name) }

// LosesDataOnClose marks the instance as Volatile: Close removes the data.
func (c *cluster) LosesDataOnClose() {}

// Processes returns the id of our own server, if there is one.
func (c *cluster) Processes() []int {
	if c.server == nil {
		return nil
	}
	return []int{c.server.PID()}
}

// DataDir returns the data directory of our own server, and "" on another cluster.
func (c *cluster) DataDir() string {
	if c.server == nil {
		return ""
	}
	return c.server.Dir()
}

type storeOnCluster struct {
	*store
	*cluster
}

func openOnCluster(ctx context.Context, partitions int) (harness.Instance, error) {
	c, err := openCluster(ctx)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, "fdb:"+c.file+"?prefix="+url.QueryEscape(c.name), partitions)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &storeOnCluster{s, c}, nil
}

func (s *storeOnCluster) Close() error { return errors.Join(s.store.Close(), s.cluster.Close()) }

func (s *storeOnCluster) Version() string { return fdbVersion }

// fdbVersion names the client; our own server has the same version.
const fdbVersion = "FoundationDB, API version 730"

// plain is the plain loop: it commits the batches that fdbevents would make, and does
// nothing else.
type plain struct {
	*cluster
	db   fdb.Database
	keys bareKeys

	mu      sync.Mutex
	waiting []*plainAppend
	running int
	number  uint64
}

// plainAppend is an append that waits for its batch.
type plainAppend struct {
	stream string
	next   int64
	events []harness.Event
	done   chan error
}

const (
	// Each batch writes these once: the doorbell of each partition, and a mark.
	bareDoorbell = 6
	bareMarker   = 7
	// The same limits as in fdblayer/batcher.go.
	maxBatches = 8
	enough     = 16
	maxEvents  = 1024
	maxBytes   = 800_000
)

func openPlain(ctx context.Context) (*plain, error) {
	c, err := openCluster(ctx)
	if err != nil {
		return nil, err
	}
	if err := fdb.APIVersion(730); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	db, err := fdb.OpenDatabase(c.file)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &plain{cluster: c, db: db, keys: bareKeys{prefix: c.prefix()}}, nil
}

// ChecksNothing marks the instance as Unchecked: a limit leaves out the checks.
func (p *plain) ChecksNothing() {}

func (p *plain) Version() string { return fdbVersion }

func (p *plain) Append(ctx context.Context, stream string, next int64, events []harness.Event) error {
	a := &plainAppend{stream: stream, next: next, events: events, done: make(chan error, 1)}
	p.mu.Lock()
	p.waiting = append(p.waiting, a)
	p.begin()
	p.mu.Unlock()
	return <-a.done
}

func (p *plain) Fill(ctx context.Context, stream string, next int64, events []harness.Event) error {
	return p.Append(ctx, stream, next, events)
}

func (p *plain) Flush(context.Context) error { return nil }

// begin starts batches while enough appends wait. The caller holds mu.
func (p *plain) begin() {
	for len(p.waiting) > 0 && (p.running == 0 || p.running < maxBatches && len(p.waiting) >= enough) {
		n, events, size := 0, 0, 0
		for n < len(p.waiting) && (n == 0 || events < maxEvents && size < maxBytes) {
			events += len(p.waiting[n].events)
			for _, e := range p.waiting[n].events {
				size += 2*len(e.Data) + 300
			}
			n++
		}
		batch := p.waiting[:n:n]
		p.waiting = p.waiting[n:]
		p.running++
		number := p.number
		p.number += uint64(events)
		go p.run(batch, number)
	}
}

func (p *plain) run(batch []*plainAppend, number uint64) {
	err := p.commit(batch, number)
	p.mu.Lock()
	p.running--
	p.begin()
	p.mu.Unlock()
	for _, a := range batch {
		a.done <- err
	}
}

func (p *plain) commit(batch []*plainAppend, number uint64) error {
	_, err := p.db.Transact(func(tr fdb.Transaction) (any, error) {
		rung := [barePartitions]bool{}
		user := uint16(0)
		for _, a := range batch {
			partition := barePartition(a.stream)
			rung[partition] = true
			tr.Set(fdb.Key(p.keys.head(a.stream)), make([]byte, headSize))
			for i, e := range a.events {
				record := bareRecord(e.Data)
				tr.SetVersionstampedValue(fdb.Key(p.keys.entry(a.stream, a.next+int64(i))), stampedAt(bareEntryValue(record), 0))
				slot := p.keys.slot(partition, 0)
				binary.BigEndian.PutUint16(slot[len(slot)-2:], user)
				tr.SetVersionstampedKey(fdb.Key(stampedAt(slot, len(slot)-12)), record)
				tr.SetVersionstampedValue(fdb.Key(p.keys.id(number+uint64(user), a.stream)), stampedAt(make([]byte, idSize), 0))
				user++
			}
		}
		for partition, ring := range rung {
			if ring {
				tr.SetVersionstampedValue(fdb.Key(tuple.AppendInt(p.keys.space(bareDoorbell), int64(partition))), stampedAt(make([]byte, 12), 0))
			}
		}
		tr.SetVersionstampedValue(fdb.Key(tuple.AppendInt(p.keys.space(bareMarker), int64(number%maxBatches))), stampedAt(make([]byte, 16), 0))
		return nil, nil
	})
	return err
}

// stampedAt appends the offset at which FoundationDB puts the stamp.
func stampedAt(b []byte, offset int) []byte {
	return binary.LittleEndian.AppendUint32(b, uint32(offset))
}

func (p *plain) ReadStream(_ context.Context, stream string, yield func([]byte)) error {
	begin := p.keys.entries(stream)
	kvs, err := p.db.ReadTransact(func(tr fdb.ReadTransaction) (any, error) {
		r := fdb.KeyRange{Begin: fdb.Key(begin), End: fdb.Key(end(begin))}
		return tr.Snapshot().GetRange(r, fdb.RangeOptions{Mode: fdb.StreamingModeWantAll}).GetSliceWithError()
	})
	if err != nil {
		return err
	}
	for _, kv := range kvs.([]fdb.KeyValue) {
		data, err := entryData(kv.Value)
		if err != nil {
			return err
		}
		yield(data)
	}
	return nil
}

// pageRows is the number of slots per partition in a page of the log: about as many
// bytes as in a page of fdbevents.
const pageRows = 400

// ReadLog reads pages of all partitions at once, without putting them in order.
func (p *plain) ReadLog(_ context.Context, yield func([]byte)) error {
	var ranges []fdb.KeyRange
	for partition := range barePartitions {
		begin := p.keys.log(partition)
		ranges = append(ranges, fdb.KeyRange{Begin: fdb.Key(begin), End: fdb.Key(end(begin))})
	}
	for len(ranges) > 0 {
		rest := ranges[:0]
		pages, err := p.page(ranges)
		if err != nil {
			return err
		}
		for i, page := range pages {
			for _, kv := range page {
				data, err := recordData(kv.Value)
				if err != nil {
					return err
				}
				yield(data)
			}
			if len(page) == pageRows {
				last := page[pageRows-1].Key
				rest = append(rest, fdb.KeyRange{Begin: append(last[:len(last):len(last)], 0), End: ranges[i].End})
			}
		}
		ranges = rest
	}
	return nil
}

func (p *plain) page(ranges []fdb.KeyRange) ([][]fdb.KeyValue, error) {
	pages, err := p.db.ReadTransact(func(tr fdb.ReadTransaction) (any, error) {
		results := make([]fdb.RangeResult, len(ranges))
		for i, r := range ranges {
			results[i] = tr.Snapshot().GetRange(r, fdb.RangeOptions{Limit: pageRows, Mode: fdb.StreamingModeWantAll})
		}
		pages := make([][]fdb.KeyValue, len(ranges))
		for i := range results {
			var err error
			if pages[i], err = results[i].GetSliceWithError(); err != nil {
				return nil, err
			}
		}
		return pages, nil
	})
	if err != nil {
		return nil, err
	}
	return pages.([][]fdb.KeyValue), nil
}
