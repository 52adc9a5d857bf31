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

// parkedPage is how many messages one transaction of Parked reads.
const parkedPage = 64

// ParkedMessage is an event that a group has put aside.
type ParkedMessage struct {
	// Event has only its position when the event was erased after it was parked.
	Event fdbevents.Event
	// Attempts is how often the event was delivered, since the last Replay if it was
	// replayed.
	Attempts int
	// Reason is what the consumer gave to Nack. When the group ran out of retries, it
	// begins with "failed N times: ".
	Reason string
	// Time is when the message was parked, by the clock of the member that did so.
	Time time.Time
}

// Parked yields the parked messages by partition, and then in the order of the log.
// Pages are separate transactions. After an error the iterator ends.
func (g *Group) Parked(ctx context.Context) iter.Seq2[ParkedMessage, error] {
	return func(yield func(ParkedMessage, error) bool) {
		rest := g.keys.GroupParkedAll(g.name)
		for {
			var found []ParkedMessage
			var page engine.Page
			err := g.read(ctx, "reading parked messages of", func(r fdblayer.Reader, _ layout.GroupConfig) (err error) {
				if page, err = r.GetRange(rest, engine.RangeOptions{Limit: parkedPage}).Get(); err == nil {
					found, err = g.readParked(r, page.KeyValues)
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

// readParked reads the events of parked messages. kvs are their keys and values.
func (g *Group) readParked(r engine.Reader, kvs []engine.KeyValue) ([]ParkedMessage, error) {
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
