package layout

import (
	"fmt"

	"github.com/fdbevents/fdbevents"
)

const (
	// formatProgress is the format number of the place of long work.
	formatProgress = 1
	// formatPlace is the format number of a place: a position that a reader stores.
	formatPlace      = 1
	formatProjection = 1
)

// AppendScavengePlace appends the place at which an interrupted scavenge resumes: the
// name of a stream.
func AppendScavengePlace(dst, at []byte) []byte {
	w := beginValue(dst, formatProgress, 2)
	w.bytes(at)
	return w.end()
}

// DecodeScavengePlace decodes what AppendScavengePlace encoded. An absent place, a nil
// src, is the beginning, nil. The result shares src.
func DecodeScavengePlace(src []byte) (at []byte, err error) {
	if src == nil {
		return nil, nil
	}
	r := readValue(src, "progress", formatProgress, 2)
	at = r.bytes()
	return at, r.end()
}

// AppendPlace appends the encoding of a place: [1, position].
func AppendPlace(dst []byte, at fdbevents.Position) []byte {
	w := beginValue(dst, formatPlace, 2)
	w.position(at)
	return w.end()
}

// DecodePlace decodes a place. An absent place, a nil src, is Start.
func DecodePlace(src []byte) (at fdbevents.Position, err error) {
	if src == nil {
		return fdbevents.Start, nil
	}
	r := readValue(src, "position", formatPlace, 2)
	at = r.position()
	return at, r.end()
}

// Projection says which generations a projection has.
type Projection struct {
	// Current is the generation whose view readers see. Building is the one that will
	// replace it, always greater than Current, or NoGeneration.
	Current, Building int64
}

// NoGeneration says that no generation is being built.
const NoGeneration = -1

// AppendProjection appends the encoding of p to dst.
func AppendProjection(dst []byte, p Projection) []byte {
	w := beginValue(dst, formatProjection, 3)
	w.int(p.Current)
	w.int(p.Building)
	return w.end()
}

// DecodeProjection decodes a projection.
func DecodeProjection(src []byte) (p Projection, err error) {
	r := readValue(src, "projection", formatProjection, 3)
	p.Current = r.int()
	p.Building = r.int()
	if p.Current < 0 || p.Building < NoGeneration || p.Building != NoGeneration && p.Building <= p.Current {
		r.fail(fmt.Errorf("projection at generation %d, with %d being built", p.Current, p.Building))
	}
	return p, r.end()
}
