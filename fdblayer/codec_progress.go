package fdblayer

import "fmt"

const (
	formatProgress = 1
	// formatPlace is a position that a reader keeps.
	formatPlace      = 1
	formatProjection = 1
)

// appendProgress encodes how far some long work has come: a name or other bytes.
func appendProgress(dst, at []byte) []byte {
	w := beginValue(dst, formatProgress, 2)
	w.bytes(at)
	return w.end()
}

// decodeProgress decodes a progress; an absent one (nil) is the beginning, nil.
func decodeProgress(src []byte) (at []byte, err error) {
	if src == nil {
		return nil, nil
	}
	r := readValue(src, "progress", formatProgress, 2)
	at = r.bytes()
	return at, r.end()
}

// appendPlace encodes a position that a reader keeps: [1, position].
func appendPlace(dst []byte, at Position) []byte {
	w := beginValue(dst, formatPlace, 2)
	w.position(at)
	return w.end()
}

// decodePlace decodes a position that a reader keeps; an absent one (nil) is Start.
func decodePlace(src []byte) (at Position, err error) {
	if src == nil {
		return Start, nil
	}
	r := readValue(src, "position", formatPlace, 2)
	at = r.position()
	return at, r.end()
}

// projection says which generations of a projection there are.
type projection struct {
	// current is the one that readers see, building the one that is to replace it,
	// or none.
	current, building int64
}

const none = -1

func appendProjection(dst []byte, p projection) []byte {
	w := beginValue(dst, formatProjection, 3)
	w.int(p.current)
	w.int(p.building)
	return w.end()
}

func decodeProjection(src []byte) (p projection, err error) {
	r := readValue(src, "projection", formatProjection, 3)
	p.current = r.int()
	p.building = r.int()
	if p.current < 0 || p.building < none || p.building != none && p.building <= p.current {
		r.fail(fmt.Errorf("projection at generation %d, with %d being built", p.current, p.building))
	}
	return p, r.end()
}
