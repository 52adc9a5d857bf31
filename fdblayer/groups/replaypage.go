package groups

import (
	"context"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// replayPage is how many replays a read loop reads at a time.
const replayPage = 64

// replay is a parked message that is to be delivered again, as it was read.
type replay struct {
	at fdbevents.Position
	// failed counts the attempts since Replay.
	failed int64
	// event is set when there is true. Otherwise it was erased.
	event fdbevents.Event
	there bool
}

// readReplays reads the first page of replays, and enqueues those that are new.
func (r *readLoop) readReplays(ctx context.Context) error {
	var page []replay
	var more bool
	err := r.door.View(ctx, func(from fdblayer.Reader) (err error) {
		page, more, err = r.readReplayPage(from)
		return err
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replayMore = more
	for i := range page {
		r.addReplay(&page[i])
	}
	return nil
}

// readReplayPage reads the first page of the partition's replays, with their events.
func (r *readLoop) readReplayPage(from fdblayer.Reader) (page []replay, more bool, err error) {
	k, partition := r.group.keys, r.lease.partition
	got, err := from.GetRange(k.GroupReplaysIn(r.group.name, partition), engine.RangeOptions{Limit: replayPage}).Get()
	if err != nil {
		return nil, false, err
	}
	page = make([]replay, len(got.KeyValues))
	records := make([]engine.Future[[]byte], len(page))
	for i, kv := range got.KeyValues {
		key, err := k.ParseGroup(kv.Key)
		if err != nil {
			return nil, false, err
		}
		page[i].at = key.At
		if page[i].failed, err = layout.DecodeGroupCount(kv.Value); err != nil {
			return nil, false, err
		}
		records[i] = k.GetRecord(from, layout.Pointer{At: key.At, Partition: partition})
	}
	var d layout.RecordDecoder
	for i := range page {
		x := &page[i]
		if x.there, err = k.AwaitRecord(&d, from, layout.Pointer{At: x.at, Partition: partition}, records[i], &x.event); err != nil {
			return nil, false, err
		}
	}
	return page, got.More, nil
}

// addReplay enqueues a replay unless it is known. The caller holds mu.
func (r *readLoop) addReplay(x *replay) {
	l := r.lease
	if r.replayed[x.at] {
		// It was settled while the page was read. It may have been parked and replayed
		// again since, so the loop reads once more.
		r.replayDue = true
		return
	}
	if l.unsettled.replays[x.at] != nil {
		return
	}
	x.event.Position = x.at
	d := newDelivery(l, &x.event, int(x.failed))
	d.replayed = true
	l.unsettled.replays[x.at] = d
	if x.there {
		l.enqueue(d)
		return
	}
	// The event was erased, and nobody can work on it. Its stream is unknown, so it
	// stands in no line.
	r.settles.submit(&settlement{delivery: d, kind: settleAck})
}

// replaySettled notes that a replay was settled, and has more read when few are left.
// The caller holds mu.
func (r *readLoop) replaySettled(at fdbevents.Position) {
	r.replayed[at] = true
	r.replayDue = r.replayDue || r.replayMore && len(r.lease.unsettled.replays) < replayPage/2
}
