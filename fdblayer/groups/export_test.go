package groups

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
