package layout

import (
	"time"

	"github.com/fdbevents/fdbevents"
)

const formatHead = 1

// head is what is known of a stream without reading its events.
type Head struct {
	// next is the revision that the next event gets; 0 when there was never one.
	Next int64
	// truncateBefore is the first revision that readers see.
	TruncateBefore int64
	// maxAge and maxCount bound what readers see; 0 is no bound.
	MaxAge   time.Duration
	MaxCount int64
	State    StreamState
	Metadata []byte
}

// exists reports whether the stream has been created and not been deleted since.
func (h Head) Exists() bool { return h.Next > 0 && h.State == StateOpen }

// meets reports whether the expectation about the stream is right. A deleted stream
// does not exist, but its last revision can still be named.
func (h Head) Meets(e fdbevents.ExpectedRevision) bool {
	switch e {
	case fdbevents.Any:
		return true
	case fdbevents.StreamExists:
		return h.Exists()
	case fdbevents.NoStream:
		return !h.Exists()
	}
	return int64(e) == h.Next-1
}

// first is the first revision that readers see, but for those hidden by their age.
func (h Head) First() int64 {
	if h.MaxCount > 0 {
		return max(h.TruncateBefore, h.Next-h.MaxCount)
	}
	return h.TruncateBefore
}

type StreamState int64

const (
	StateOpen StreamState = iota
	// stateTombstoned is for ever, stateDeleted until the next append.
	StateTombstoned
	StateDeleted
)

func AppendHead(dst []byte, h Head) []byte {
	w := beginValue(dst, formatHead, 7)
	w.int(h.Next)
	w.int(h.TruncateBefore)
	w.int(int64(h.MaxAge))
	w.int(h.MaxCount)
	w.int(int64(h.State))
	w.bytes(h.Metadata)
	return w.end()
}

// decodeHead decodes a head; an absent one (nil) is a stream without events.
func DecodeHead(src []byte) (h Head, err error) {
	if src == nil {
		return h, nil
	}
	r := readValue(src, "stream head", formatHead, 7)
	h.Next = r.int()
	h.TruncateBefore = r.int()
	h.MaxAge = time.Duration(r.int())
	h.MaxCount = r.int()
	h.State = StreamState(r.int())
	h.Metadata = r.bytes()
	return h, r.end()
}
