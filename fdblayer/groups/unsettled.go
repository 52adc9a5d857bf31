package groups

import (
	"slices"

	"github.com/fdbevents/fdbevents"
)

// unsettled holds the events of a lease that were read and are not settled. One event
// of each stream at a time is on its way: ready, delivered, being settled, or waiting
// for a retry. The others wait in line, so that the order in a stream holds whatever
// happens to an event. All fields are guarded by mu.
type unsettled struct {
	// events are those of the partition, in the order of the log. All of them are
	// selected, after the stored checkpoint, and not after what the read loop has read.
	events []*delivery
	// size is about the bytes of events.
	size int
	// replays are parked events that are to be delivered again, by position.
	replays map[fdbevents.Position]*delivery
	// lines has the events and replays of each stream, in the order of delivery. The
	// first of a line is on its way. No line is empty.
	lines map[string][]*delivery
	// ready are the events that can be delivered, the next one first.
	ready []*delivery
}

const (
	// unsettledEvents and unsettledBytes bound what a read loop reads ahead; the page
	// that reaches a bound may exceed it.
	unsettledEvents = 256
	unsettledBytes  = 1 << 20
	// settledAhead bounds the events that are settled after one that is not. Progress
	// has each of their positions.
	settledAhead = 1024
)

// full reports whether there is no room for more events.
func (u *unsettled) full() bool {
	return len(u.events) >= unsettledEvents || u.size >= unsettledBytes
}

// add takes in an event of the partition, after all others. It does not enqueue it.
func (u *unsettled) add(d *delivery) {
	u.events = append(u.events, d)
	u.size += d.event.Size()
}

// enqueue puts an event at the end of its stream's line. It reports whether it is the
// first, so that it can be delivered.
func (u *unsettled) enqueue(d *delivery) (first bool) {
	stream := d.event.Stream
	u.lines[stream] = append(u.lines[stream], d)
	return len(u.lines[stream]) == 1
}

// remove takes out an event that is settled. It returns the next event of its stream,
// which can now be delivered, or nil.
func (u *unsettled) remove(d *delivery) (next *delivery) {
	if d.replayed {
		delete(u.replays, d.event.Position)
	} else if i, ok := slices.BinarySearchFunc(u.events, d.event.Position, func(d *delivery, at fdbevents.Position) int {
		return d.event.Position.Compare(at)
	}); ok {
		u.events = slices.Delete(u.events, i, i+1)
		u.size -= d.event.Size()
	}
	stream := d.event.Stream
	line := u.lines[stream]
	if len(line) == 0 || line[0] != d {
		return nil
	}
	if len(line) == 1 {
		delete(u.lines, stream)
		return nil
	}
	u.lines[stream] = line[1:]
	return line[1]
}
