package groups

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// ParkedMessage is an event that a group has put aside.
type ParkedMessage struct {
	// Event has only its position when it was erased since.
	Event fdbevents.Event
	// Attempts is how often it was delivered.
	Attempts int
	// Reason is what the member said, or why it was parked without its doing.
	Reason string
	// Time is when, by the clock of the member that parked it.
	Time time.Time
}

// Parked yields the parked messages, by partition and then in the order of the
// log. Pages are separate transactions. The iterator yields one error, and then
// nothing more.
func (g *Group) Parked(ctx context.Context) iter.Seq2[ParkedMessage, error] {
	return func(yield func(ParkedMessage, error) bool) {
		rest := g.keys.GroupParkedAll(g.name)
		for {
			var found []ParkedMessage
			var page engine.Page
			err := g.read(ctx, "reading what is parked of", func(r fdblayer.Reader, _ layout.GroupConfig) (err error) {
				if page, err = r.GetRange(rest, engine.RangeOptions{Limit: replayPage}).Get(); err == nil {
					found, err = g.parked(r, page.KeyValues)
				}
				return err
			})
			if err != nil {
				yield(ParkedMessage{}, err)
				return
			}
			for _, p := range found {
				if !yield(p, nil) {
					return
				}
			}
			if !page.More {
				return
			}
			rest.Begin = layout.After(page.KeyValues[len(page.KeyValues)-1].Key)
		}
	}
}

// parked reads the events of parked messages.
func (g *Group) parked(r engine.Reader, kvs []engine.KeyValue) ([]ParkedMessage, error) {
	k := g.keys
	var d layout.RecordDecoder
	out := make([]ParkedMessage, len(kvs))
	keys := make([]layout.GroupKey, len(kvs))
	records := make([]engine.Future[[]byte], len(kvs))
	for i, kv := range kvs {
		key, err := k.ParseGroup(kv.Key)
		if err != nil {
			return nil, err
		}
		p, err := layout.DecodeGroupParked(kv.Value)
		if err != nil {
			return nil, fmt.Errorf("parked message at position %s: %w", key.At, err)
		}
		keys[i] = key
		out[i] = ParkedMessage{Attempts: p.Attempts, Reason: p.Reason, Time: p.Time}
		records[i] = k.GetRecord(r, layout.Pointer{At: key.At, Partition: key.Partition})
	}
	for i := range out {
		if _, err := k.AwaitRecord(&d, r, layout.Pointer{At: keys[i].At, Partition: keys[i].Partition}, records[i], &out[i].Event); err != nil {
			return nil, err
		}
		out[i].Event.Position = keys[i].At
	}
	return out, nil
}

// replayBatch is how many messages one transaction of Replay moves.
const replayBatch = 500

// Replay makes the members deliver all parked messages again, each in line with
// what else of its stream is to be delivered. Their attempts count anew. It
// returns how many they are.
func (g *Group) Replay(ctx context.Context) (moved int, err error) {
	k := g.keys
	r := k.GroupParkedAll(g.name)
	for {
		var page engine.Page
		err := g.change(ctx, "replaying what is parked of", func(tr engine.Transaction, _ layout.GroupConfig) error {
			if n := len(page.KeyValues); n > 0 {
				// The attempt before may have been committed.
				first, err := tr.Get(page.KeyValues[0].Key).Get()
				if err != nil || first == nil {
					return err
				}
			}
			var err error
			if page, err = tr.GetRange(r, engine.RangeOptions{Limit: replayBatch}).Get(); err != nil || len(page.KeyValues) == 0 {
				return err
			}
			for _, kv := range page.KeyValues {
				key, err := k.ParseGroup(kv.Key)
				if err != nil {
					return err
				}
				tr.Clear(kv.Key)
				tr.Set(k.GroupReplay(g.name, key.Partition, key.At), layout.AppendGroupCount(nil, 0))
			}
			g.ring(tr)
			return nil
		})
		if err != nil {
			return moved, err
		}
		moved += len(page.KeyValues)
		if !page.More {
			return moved, nil
		}
		r.Begin = layout.After(page.KeyValues[len(page.KeyValues)-1].Key)
	}
}
