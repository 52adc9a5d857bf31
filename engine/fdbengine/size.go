//go:build fdb

package fdbengine

import (
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
)

// size counts the bytes that a commit will carry, so that Size needs no call to
// the client. It counts no less than the client, which adds the size of its own
// structures to the sizes of keys and values.
type size struct {
	bytes atomic.Int64 // of mutations and conflict ranges
	// splits is what the transaction's own writes add to the read conflicts when
	// ranges are read across them: each write can cut a range in two.
	splits atomic.Int64
	ranges atomic.Bool // whether ranges were read
}

// These are at least the sizes of the client's structures. Source:
// fdbclient/CommitTransaction.h MutationRef, fdbclient/FDBTypes.h KeyRangeRef.
const (
	mutationSize = 64
	rangeSize    = 32
)

func (s *size) add(n int) { s.bytes.Add(int64(n)) }

// wrote counts a mutation of a key and its write conflict.
func (s *size) wrote(key, value []byte) {
	conflict := rangeSize + 2*len(key) + 1
	s.add(mutationSize + len(key) + len(value) + 1 + conflict)
	s.splits.Add(int64(conflict))
}

// cleared counts the clearing of a range and its write conflict.
func (s *size) cleared(r engine.Range) {
	conflict := rangeSize + len(r.Begin) + len(r.End)
	s.add(mutationSize + len(r.Begin) + len(r.End) + conflict)
	s.splits.Add(int64(conflict))
}

// conflict counts a conflict range.
func (s *size) conflict(begin, end []byte) { s.add(rangeSize + len(begin) + len(end) + 1) }

// read counts the read of a key.
func (s *size) read(begin, end []byte) { s.conflict(begin, end) }

// readRange counts the read of a range.
func (s *size) readRange(r engine.Range) {
	s.conflict(r.Begin, r.End)
	s.ranges.Store(true)
}

func (s *size) total() int64 {
	n := s.bytes.Load()
	if s.ranges.Load() {
		n += s.splits.Load()
	}
	return n
}

func (s *size) reset() {
	s.bytes.Store(0)
	s.splits.Store(0)
	s.ranges.Store(false)
}
