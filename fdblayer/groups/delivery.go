package groups

import (
	"time"

	"github.com/fdbevents/fdbevents"
)

// delivery is an event on its way to be settled, over all its attempts. The fields from
// failed on are guarded by mu.
type delivery struct {
	lease *lease
	// event is read-only: consumers share its slices.
	event *fdbevents.Event
	// replayed is true when the event had been parked.
	replayed bool

	// failed counts the attempts that failed. Only the settle loop changes it, once a
	// retry is written.
	failed int
	// message is what the consumer holds, nil when no attempt is under way.
	message *Message
	// due is when the message times out, or when the retry is due.
	due time.Time
	// timer is the index among the settle loop's timers, -1 when no timer is set.
	timer int
}

func newDelivery(l *lease, ev *fdbevents.Event, failed int) *delivery {
	return &delivery{lease: l, event: ev, failed: failed, timer: -1}
}
