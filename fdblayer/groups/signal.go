package groups

// signal wakes a goroutine. It has room for one send, which stays until a receiver
// takes it, so that no wake-up is missed. The receiver finds out by itself what there
// is to do.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

// send leaves a signal unless one is waiting. It never blocks.
func (s signal) send() {
	select {
	case s <- struct{}{}:
	default:
	}
}
