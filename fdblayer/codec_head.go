package fdblayer

import "time"

const formatHead = 1

// head is what is known of a stream without reading its events.
type head struct {
	// next is the revision that the next event gets; 0 when there was never one.
	next int64
	// truncateBefore is the first revision that readers see.
	truncateBefore int64
	// maxAge and maxCount bound what readers see; 0 is no bound.
	maxAge   time.Duration
	maxCount int64
	state    streamState
	metadata []byte
}

// exists reports whether the stream has been created and not been deleted since.
func (h head) exists() bool { return h.next > 0 && h.state == stateOpen }

// meets reports whether the expectation about the stream is right. A deleted stream
// does not exist, but its last revision can still be named.
func (h head) meets(e ExpectedRevision) bool {
	switch e {
	case Any:
		return true
	case StreamExists:
		return h.exists()
	case NoStream:
		return !h.exists()
	}
	return int64(e) == h.next-1
}

// first is the first revision that readers see, but for those hidden by their age.
func (h head) first() int64 {
	if h.maxCount > 0 {
		return max(h.truncateBefore, h.next-h.maxCount)
	}
	return h.truncateBefore
}

type streamState int64

const (
	stateOpen streamState = iota
	// stateTombstoned is for ever, stateDeleted until the next append.
	stateTombstoned
	stateDeleted
)

func appendHead(dst []byte, h head) []byte {
	w := beginValue(dst, formatHead, 7)
	w.int(h.next)
	w.int(h.truncateBefore)
	w.int(int64(h.maxAge))
	w.int(h.maxCount)
	w.int(int64(h.state))
	w.bytes(h.metadata)
	return w.end()
}

// decodeHead decodes a head; an absent one (nil) is a stream without events.
func decodeHead(src []byte) (h head, err error) {
	if src == nil {
		return h, nil
	}
	r := readValue(src, "stream head", formatHead, 7)
	h.next = r.int()
	h.truncateBefore = r.int()
	h.maxAge = time.Duration(r.int())
	h.maxCount = r.int()
	h.state = streamState(r.int())
	h.metadata = r.bytes()
	return h, r.end()
}
