package layout

import (
	"encoding/binary"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
)

// NewPosition returns the position of the event with the given index in the transaction
// that got stamp.
func NewPosition(stamp engine.Stamp, index int) fdbevents.Position {
	var b [positionSize]byte
	copy(b[:], stamp[:])
	binary.BigEndian.PutUint16(b[len(stamp):], uint16(index))
	return fdbevents.PositionFromBytes(b)
}

// StampOf returns the versionstamp of the transaction that wrote the event at a
// position.
func StampOf(at fdbevents.Position) engine.Stamp {
	b := at.Bytes()
	return engine.Stamp(b[:len(engine.Stamp{})])
}

// LastOfVersion returns a position that is at or after every event that a reader at
// version can see, and before all later events.
func LastOfVersion(version int64) fdbevents.Position {
	b := fdbevents.End.Bytes()
	binary.BigEndian.PutUint64(b[:8], uint64(version))
	return fdbevents.PositionFromBytes(b)
}

func appendPositionBytes(dst []byte, at fdbevents.Position) []byte {
	b := at.Bytes()
	return append(dst, b[:]...)
}
