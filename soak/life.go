package main

import "strings"

// lifePrefix begins the names of streams that are truncated, deleted and
// scavenged.
const lifePrefix = "life-"

// life is what a stream that is truncated and deleted must look like. It has one
// keeper, which does one thing after another.
type life struct {
	writer uint32
	// next is the revision of the next event, before the first revision that was not
	// truncated.
	next, before int64
	maxCount     int64
	// low is the highest first visible revision so far: events below it may have been
	// scavenged.
	low     int64
	deleted bool
}

func (c *checker) life(stream string, writer uint32) *life {
	l := &life{writer: writer}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lives[stream] = l
	return l
}

// first returns the first revision that readers see, and raises low to it.
func (l *life) first() int64 {
	first := l.before
	if l.maxCount > 0 {
		first = max(first, l.next-l.maxCount)
	}
	l.low = max(l.low, first)
	return first
}

// hidden returns the revision of a stream before which events may be gone.
func (c *checker) hidden(stream string) int64 {
	if l, ok := c.lives[stream]; ok {
		return l.low
	}
	return 0
}

// gone reports whether an event of a writer may be gone.
func (c *checker) gone(writer, revision uint32) bool {
	for _, l := range c.lives {
		if l.writer == writer {
			return revision != unsaid && int64(revision) < l.low
		}
	}
	return false
}

// whole verifies that the log has the end of a truncated stream.
func (c *checker) whole(stream string, t *tally) {
	if !strings.HasPrefix(stream, lifePrefix) {
		return
	}
	l, ok := c.lives[stream]
	switch {
	case !ok:
		c.verdict.add(lifetimes, "stream %q has no keeper", stream)
	case t.next > l.next, t.next < l.next && l.first() < l.next:
		c.verdict.add(lifetimes, "stream %q ends before revision %d, want %d", stream, t.next, l.next)
	}
}

// visible compares what a reader of the stream sees with what it must see. Events that
// an earlier retention hid come back when it is relaxed, unless they were scavenged.
func (c *checker) visible(stream string, revisions []int64) {
	l := c.lives[stream]
	first, n := l.first(), int64(len(revisions))
	switch {
	case n == 0:
		if !l.deleted && l.low < l.next {
			c.verdict.add(lifetimes, "stream %q: readers see nothing, want revisions %d to %d", stream, l.low, l.next-1)
		}
	case l.deleted, revisions[0] < first, revisions[0] > l.low, revisions[n-1] != l.next-1, revisions[n-1]-revisions[0] != n-1:
		c.verdict.add(lifetimes, "stream %q: readers see %d events at revisions %d to %d, want all from %d, or from %d at the latest, to %d (deleted: %t)",
			stream, n, revisions[0], revisions[n-1], first, l.low, l.next-1, l.deleted)
	}
}
