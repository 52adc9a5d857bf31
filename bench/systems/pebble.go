package systems

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/fdbevents/fdbevents/bench/harness"
)

// Pebble returns the embedded engine's storage on its own: the same keys and bytes,
// and one synced batch per append, with Pebble's own group commit.
func Pebble() harness.System {
	return harness.System{
		Name: "pebble", Kind: harness.Limit,
		About: "plain Pebble v2 with the same keys and bytes, one synced batch per append; no reads, no checks, no order across partitions",
		Open: func(_ context.Context, dir string) (harness.Instance, error) {
			// The same options as in the embedded engine.
			o := &pebble.Options{
				Logger: quiet{}, FormatMajorVersion: pebble.FormatNewest, MemTableSize: 32 << 20, MemTableStopWritesThreshold: 4,
				CacheSize: 192 << 20, LBaseMaxBytes: 64 << 20, BytesPerSync: 512 << 10, L0CompactionThreshold: 4, L0StopWritesThreshold: 24,
				CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
			}
			for i := range o.Levels {
				o.Levels[i].FilterPolicy, o.Levels[i].FilterType = bloom.FilterPolicy(10), pebble.TableFilter
			}
			db, err := pebble.Open(dir, o)
			if err != nil {
				return nil, err
			}
			p := &plainPebble{db: db}
			p.number.Store(uint64(time.Now().UnixNano())) // beyond the numbers of an earlier Open
			return p, nil
		},
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }

type plainPebble struct {
	db     *pebble.DB
	keys   bareKeys
	number atomic.Uint64
}

func (p *plainPebble) Version() string { return moduleVersion("github.com/cockroachdb/pebble/v2") }

// ChecksNothing marks the instance as Unchecked: a limit leaves out the checks.
func (p *plainPebble) ChecksNothing() {}

func (p *plainPebble) Close() error { return p.db.Close() }

func (p *plainPebble) Append(_ context.Context, stream string, next int64, events []harness.Event) error {
	return p.append(stream, next, events, pebble.Sync)
}

func (p *plainPebble) Fill(_ context.Context, stream string, next int64, events []harness.Event) error {
	return p.append(stream, next, events, pebble.NoSync)
}

func (p *plainPebble) Flush(context.Context) error { return p.db.LogData(nil, pebble.Sync) }

func (p *plainPebble) append(stream string, next int64, events []harness.Event, o *pebble.WriteOptions) (err error) {
	b := p.db.NewBatch()
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.Set(p.keys.head(stream), make([]byte, headSize), nil); err != nil {
		return err
	}
	partition := barePartition(stream)
	for i, e := range events {
		number, revision := p.number.Add(1), next+int64(i)
		record := bareRecord(e.Data)
		for _, kv := range [][2][]byte{
			{p.keys.entry(stream, revision), bareEntryValue(record)},
			{p.keys.slot(partition, number), record},
			{p.keys.id(number, stream), make([]byte, idSize)},
		} {
			if err := b.Set(kv[0], kv[1], nil); err != nil {
				return err
			}
		}
	}
	return b.Commit(o)
}

func (p *plainPebble) ReadStream(_ context.Context, stream string, yield func([]byte)) error {
	return p.scan(p.keys.entries(stream), entryData, yield)
}

// ReadLog scans the partitions one after another: there is no order across them.
func (p *plainPebble) ReadLog(_ context.Context, yield func([]byte)) error {
	for partition := range barePartitions {
		if err := p.scan(p.keys.log(partition), recordData, yield); err != nil {
			return err
		}
	}
	return nil
}

// scan yields the data of all values whose keys begin with the prefix.
func (p *plainPebble) scan(prefix []byte, data func([]byte) ([]byte, error), yield func([]byte)) (err error) {
	it, err := p.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: end(prefix)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		d, err := data(value)
		if err != nil {
			return err
		}
		yield(d)
	}
	return nil
}
