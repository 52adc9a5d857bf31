package groups

// Freeze makes the member silent, as if its process had stopped: it writes no
// heartbeat and does not look at the group. What it delivered can be settled as
// far as the store allows.
func (m *Member) Freeze() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frozen = true
}

// Thaw ends Freeze.
func (m *Member) Thaw() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frozen = false
	signal(m.look)
}

// Crash ends the member without giving anything up.
func (m *Member) Crash() {
	m.Freeze()
	m.stop(errMemberClosed)
	<-m.done
}

// Held is how many leases the member believes it holds, and of how many events it
// knows that are not settled.
func (m *Member) Held() (leases, events int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.leases {
		events += len(l.window) + len(l.replays)
	}
	return len(m.leases), events
}

// Paused is whether the member has noticed a pause.
func (m *Member) Paused() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.paused
}

// Draining is how many leases the member is about to give up.
func (m *Member) Draining() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.leases {
		if l.draining {
			n++
		}
	}
	return n
}
