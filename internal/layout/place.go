package layout

import (
	"fmt"

	"github.com/fdbevents/fdbevents"
)

const (
	formatProgress = 1
	// formatPlace is a position that a reader keeps.
	formatPlace      = 1
	formatProjection = 1
)

// appendProgress encodes how far some long work has come: a name or other bytes.
func AppendScavengePlace(dst, at []byte) []byte {
	w := beginValue(dst, formatProgress, 2)
	w.bytes(at)
	return w.end()
}

// decodeProgress decodes a progress; an absent one (nil) is the beginning, nil.
func DecodeScavengePlace(src []byte) (at []byte, err error) {
	if src == nil {
		return nil, nil
	}
	r := readValue(src, "progress", formatProgress, 2)
	at = r.bytes()
	return at, r.end()
}

// appendPlace encodes a position that a reader keeps: [1, position].
func AppendPlace(dst []byte, at fdbevents.Position) []byte {
	w := beginValue(dst, formatPlace, 2)
	w.position(at)
	return w.end()
}

// decodePlace decodes a position that a reader keeps; an absent one (nil) is Start.
func DecodePlace(src []byte) (at fdbevents.Position, err error) {
	if src == nil {
		return fdbevents.Start, nil
	}
	r := readValue(src, "position", formatPlace, 2)
	at = r.position()
	return at, r.end()
}

// projection says which generations of a projection there are.
type Projection struct {
	// current is the one that readers see, building the one that is to replace it,
	// or none.
	Current, Building int64
}

const NoGeneration = -1

func AppendProjection(dst []byte, p Projection) []byte {
	w := beginValue(dst, formatProjection, 3)
	w.int(p.Current)
	w.int(p.Building)
	return w.end()
}

func DecodeProjection(src []byte) (p Projection, err error) {
	r := readValue(src, "projection", formatProjection, 3)
	p.Current = r.int()
	p.Building = r.int()
	if p.Current < 0 || p.Building < NoGeneration || p.Building != NoGeneration && p.Building <= p.Current {
		r.fail(fmt.Errorf("projection at generation %d, with %d being built", p.Current, p.Building))
	}
	return p, r.end()
}
