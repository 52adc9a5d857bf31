package groups

// Held returns how many leases the member believes it holds, and how many events it
// has read that are not settled.
func (m *Member) Held() (leases, events int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.leases.held {
		events += len(l.unsettled.events) + len(l.unsettled.replays)
	}
	return len(m.leases.held), events
}

// Paused reports whether the member has noticed a pause.
func (m *Member) Paused() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leases.paused
}

// Draining returns how many leases the member is about to give up.
func (m *Member) Draining() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.leases.held {
		if l.draining {
			n++
		}
	}
	return n
}
