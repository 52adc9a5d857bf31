package groups

import "github.com/fdbevents/fdbevents/fdblayer"

// followLoop wakes the read loops of partitions that get events. It is one goroutine
// from Join until the membership ends.
type followLoop struct {
	*membership
	leases *leaseSet
	// events wakes the loop at the end of the log. Only the loop calls its Next; the
	// member closes it when the loop has ended.
	events *fdblayer.Follower
}

func (f *followLoop) run() {
	for {
		events, missed, err := f.events.Next(f.ctx)
		switch {
		case err != nil:
			return
		case missed:
			f.leases.wakeAll()
		default:
			f.leases.wake(events)
		}
	}
}
