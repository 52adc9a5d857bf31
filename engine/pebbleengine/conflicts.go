package pebbleengine

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/fdbevents/fdbevents/engine"
)

// window remembers what recent commits wrote, for as long as an open transaction
// may have read before them. It belongs to the current leader.
type window struct {
	// floor is the version above which the window is complete. A transaction that
	// read below it cannot be checked and is too old.
	floor int64
	// last is the version that last wrote a key, by the key's hash. Two keys with
	// the same hash cause at worst a needless conflict.
	last map[uint64]int64
	// recent are the commits above floor, oldest first.
	recent []*history
	// ranges counts the written ranges in recent, points the written keys.
	ranges, points int
	spare          []*history
}

// history is what one version wrote.
type history struct {
	version int64
	hashes  []uint64
	keys    [][]byte // the hashed keys; the first sorted of them are in order
	sorted  int
	// block is where the next keys are copied. The copies let go of the memory
	// that keys were cut from, values included.
	block  []byte
	ranges []engine.Range
}

// maxWindowPoints bounds the memory of the window, at about 100 bytes per key.
const maxWindowPoints = 1 << 20

func newWindow(floor int64) *window {
	return &window{floor: floor, last: make(map[uint64]int64)}
}

// hashes appends the hashes of keys. A store uses one seed for life.
func hashes(seed maphash.Seed, to []uint64, keys [][]byte) []uint64 {
	for _, key := range keys {
		to = append(to, maphash.Bytes(seed, key))
	}
	return to
}

// begin opens the history of the next version, which addPoint and addRange then
// fill.
func (w *window) begin(version int64) *history {
	var h *history
	if n := len(w.spare); n > 0 {
		h, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		h = new(history)
	}
	h.version = version
	w.recent = append(w.recent, h)
	return h
}

// addPoint records a written key in the newest history.
func (w *window) addPoint(h *history, key []byte, hash uint64) {
	w.last[hash] = h.version
	h.hashes = append(h.hashes, hash)
	h.keys = append(h.keys, h.keep(key))
	w.points++
}

const firstBlock, lastBlock = 1 << 10, 64 << 10

func (h *history) keep(key []byte) []byte {
	if cap(h.block)-len(h.block) < len(key) {
		h.block = make([]byte, 0, max(len(key), min(2*cap(h.block), lastBlock), firstBlock))
	}
	n := len(h.block)
	h.block = append(h.block, key...)
	return h.block[n:len(h.block):len(h.block)]
}

func (w *window) addRange(h *history, r engine.Range) {
	if r.Empty() {
		return
	}
	h.ranges = append(h.ranges, r)
	w.ranges++
}

// check returns an error if something read at version has been written since.
// hashes are the hashes of reads.points.
func (w *window) check(version int64, reads *conflicts, hashes []uint64) error {
	if reads.empty() {
		return nil
	}
	if version < w.floor {
		return fmt.Errorf("commit at read version %d: %w", version, engine.ErrTooOld)
	}
	for _, hash := range hashes {
		if w.last[hash] > version {
			return engine.ErrConflict
		}
	}
	if len(reads.ranges) == 0 && w.ranges == 0 {
		return nil
	}
	for i := len(w.recent) - 1; i >= 0 && w.recent[i].version > version; i-- {
		if w.recent[i].hit(reads) {
			return engine.ErrConflict
		}
	}
	return nil
}

// wrote reports whether key was written after version, or may have been.
func (w *window) wrote(key []byte, hash uint64, version int64) bool {
	return w.check(version, &conflicts{points: [][]byte{key}}, []uint64{hash}) != nil
}

// hit reports whether h overlaps reads, except for points with points.
func (h *history) hit(reads *conflicts) bool {
	for _, r := range reads.ranges {
		if h.wroteIn(r) {
			return true
		}
		for _, w := range h.ranges {
			if bytes.Compare(r.Begin, w.End) < 0 && bytes.Compare(w.Begin, r.End) < 0 {
				return true
			}
		}
	}
	for _, w := range h.ranges {
		if slices.ContainsFunc(reads.points, w.Contains) {
			return true
		}
	}
	return false
}

// fewUnsorted is how many keys are searched one by one before sorting.
const fewUnsorted = 64

// wroteIn reports whether a key in r was written.
func (h *history) wroteIn(r engine.Range) bool {
	if len(h.keys)-h.sorted > fewUnsorted {
		slices.SortFunc(h.keys, bytes.Compare)
		h.sorted = len(h.keys)
	}
	i, _ := slices.BinarySearchFunc(h.keys[:h.sorted], r.Begin, bytes.Compare)
	if i < h.sorted && bytes.Compare(h.keys[i], r.End) < 0 {
		return true
	}
	return slices.ContainsFunc(h.keys[h.sorted:], r.Contains)
}

// prune forgets the commits that no transaction can conflict with: those up to
// oldest, the lowest read version in use.
func (w *window) prune(oldest int64) {
	w.floor = max(w.floor, oldest)
	drop := 0
	for drop < len(w.recent) && (w.recent[drop].version <= w.floor || w.points > maxWindowPoints) {
		h := w.recent[drop]
		w.floor = max(w.floor, h.version)
		w.forget(h)
		drop++
	}
	w.recent = slices.Delete(w.recent, 0, drop)
}

func (w *window) forget(h *history) {
	for _, hash := range h.hashes {
		if w.last[hash] == h.version {
			delete(w.last, hash)
		}
	}
	w.points -= len(h.hashes)
	w.ranges -= len(h.ranges)
	if len(w.spare) < 4 && cap(h.keys) <= 1<<16 {
		clear(h.keys)
		clear(h.ranges)
		*h = history{hashes: h.hashes[:0], keys: h.keys[:0], ranges: h.ranges[:0], block: h.block[:0]}
		w.spare = append(w.spare, h)
	}
}
