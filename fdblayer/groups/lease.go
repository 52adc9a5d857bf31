package groups

import (
	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// lease is a partition while a member holds it. The fields from stored on are guarded
// by mu.
type lease struct {
	*membership
	partition int
	// owner is the id under which the member took the lease. The member's id may have
	// changed since.
	owner uuid.UUID
	// epoch is the lease's in the store. Every taking, and every Reset of the group,
	// raises it.
	epoch int64
	// reads fills unsettled from the partition.
	reads *readLoop

	// stored is the progress as the member last read or wrote it. Only the settle loop
	// changes it, after a commit that is known to have happened.
	stored layout.GroupProgress
	// unsettled are the events that were read and are not settled.
	unsettled unsettled
	// out counts the messages that were delivered and whose end, a timeout included, is
	// not written.
	out int
	// behind asks the settle loop to write the checkpoint.
	behind bool
	// draining is true when the lease delivers nothing more, so that it can be given up
	// once out is 0. The heartbeat sets it, and may take it back.
	draining bool
	// releasing is true from when the settle loop gives the lease up in a transaction.
	// It then drains until it is dropped.
	releasing bool
	// lost is true when the lease is not the member's any more. Nothing of it counts
	// then, and it never becomes false again.
	lost bool
}

// enqueue puts an event that was read into the line of its stream. The caller holds
// mu.
func (l *lease) enqueue(d *delivery) {
	if l.unsettled.enqueue(d) {
		l.makeReady(d)
	}
}

// makeReady lets an event be delivered. The caller holds mu.
func (l *lease) makeReady(d *delivery) {
	l.unsettled.ready = append(l.unsettled.ready, d)
	l.available.send()
}

// settled removes an event whose settlement was committed, and lets the next event of
// its stream be delivered. The caller holds mu.
func (l *lease) settled(d *delivery) {
	next := l.unsettled.remove(d)
	if d.replayed {
		l.reads.replaySettled(d.event.Position)
	}
	if next != nil {
		l.makeReady(next)
	}
	l.reads.wake.send() // there is room
}

// checkpoint returns the position up to which every selected event is settled, given
// that the events in done are settled, too. The caller holds mu.
func (l *lease) checkpoint(done map[*delivery]bool) fdbevents.Position {
	at := l.reads.through
	for _, d := range l.unsettled.events {
		if !done[d] {
			at = d.event.Position.Prev()
			break
		}
	}
	if at.Before(l.stored.Checkpoint) {
		return l.stored.Checkpoint
	}
	return at
}

// fence refuses a lease that is not the member's any more. value is the lease as it is
// in the store, nil when the group was deleted.
func (l *lease) fence(value []byte) error {
	if value == nil {
		return fdbevents.ErrGroupDeleted
	}
	stored, err := layout.DecodeGroupLease(value)
	if err == nil && (stored.Owner != l.owner || stored.Epoch != l.epoch) {
		err = fdbevents.ErrLeaseLost
	}
	return err
}

// released reports whether this very lease was given up, by what is in the store. Any
// later taking of the partition, and any Reset, raises the epoch.
func (l *lease) released(value []byte) bool {
	stored, err := layout.DecodeGroupLease(value)
	return value != nil && err == nil && stored.Owner == uuid.Nil && stored.Epoch == l.epoch
}
