package groups

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// membership is what the goroutines of a Member share: facts that do not change, the
// end of the membership, one mutex, and the signals by which they wake one another.
type membership struct {
	group *Group
	// config has the settings of the group, but not its Incarnation.
	config layout.GroupConfig
	// door is the member's own. It stays open until the member has left, so that the
	// last settlements are written while the store closes.
	door fdblayer.Door
	// storeCtx ends when the store closes.
	storeCtx context.Context
	// ctx ends when the membership does: with storeCtx, or by stop. Its cause says why.
	ctx context.Context
	// stop ends ctx. Any goroutine may call it; the first cause stays.
	stop context.CancelCauseFunc

	// mu is the member's only mutex. It guards the fields that say so in leaseSet,
	// lease, unsettled, readLoop, heartbeatLoop, settleLoop and delivery, and the state
	// of each Message. Nothing waits, reads or commits under mu.
	mu sync.Mutex

	// available wakes one consumer: a message may be ready.
	available signal
	// wakeHeartbeat makes the heartbeat loop write a heartbeat at once: a lease was
	// dropped, and its partition may be free.
	wakeHeartbeat signal
	// wakeSettle wakes the settle loop: the queue, the first timer, a checkpoint, a
	// draining lease or closing has changed.
	wakeSettle signal
}

// pauseAfterFailure is the pause after a watch or a read that failed.
const pauseAfterFailure = 20 * time.Millisecond

// pause waits for pauseAfterFailure, or until ctx ends.
func pause(ctx context.Context) {
	select {
	case <-time.After(pauseAfterFailure):
	case <-ctx.Done():
	}
}

// trouble reports an error after which a goroutine tries again. what ends in "of
// consumer group", without the name.
func (m *membership) trouble(what string, err error) {
	m.door.Trouble(what+" "+m.group.name, err)
}

// ended returns why the membership has ended.
func (m *membership) ended() error {
	if m.storeCtx.Err() != nil {
		return fdbevents.ErrClosed
	}
	return context.Cause(m.ctx)
}

// leaseLost returns the error for a message whose lease is lost.
func (m *membership) leaseLost() error {
	if errors.Is(context.Cause(m.ctx), fdbevents.ErrGroupDeleted) {
		return fdbevents.ErrGroupDeleted
	}
	return fdbevents.ErrLeaseLost
}

// fatal reports whether trying again cannot help.
func fatal(err error) bool {
	for _, end := range []error{fdbevents.ErrGroupDeleted, fdbevents.ErrCorrupt, fdbevents.ErrFormat, fdbevents.ErrClosed, engine.ErrClosed} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
