package harness

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
)

const (
	// abreast is how many stocked streams grow at the same time, so that the events of
	// one stream are far apart in the log, as in real life.
	abreast = 100
	// stockedAtOnce is how many events a stocked stream gets in a row.
	stockedAtOnce = 10
	// foundTag is the tag that one in TagEvery stocked events has.
	foundTag = "kind:rare"
)

// stockedStream returns the name of the i-th stream that stock makes.
func stockedStream(i int) string { return fmt.Sprint("stock-", i) }

// stock appends streams of LoadedEvents events until there are at least n events.
func (s *stage) stock(ctx context.Context, n, size int) error {
	if s.stocked >= n {
		return nil
	}
	bodies := s.bodies(uint64(s.stocked))
	events := make([]Event, stockedAtOnce)
	for s.stocked < n {
		first := s.stocked / LoadedEvents
		for round := range LoadedEvents / stockedAtOnce {
			for i := range abreast {
				for j := range events {
					events[j] = Event{Data: bodies.next(size)}
					if (s.stocked+j)%TagEvery == 0 {
						events[j].Tags = []string{foundTag}
					}
				}
				if err := s.fill(ctx, stockedStream(first+i), int64(round*stockedAtOnce), events); err != nil {
					return fmt.Errorf("stock the log: %w", err)
				}
				s.stocked += stockedAtOnce
			}
		}
	}
	return s.flush(ctx)
}

// flush returns when everything that fill appended is on disk.
func (s *stage) flush(ctx context.Context) error {
	filler, ok := s.instance.(Filler)
	if !ok {
		return nil
	}
	if err := filler.Flush(ctx); err != nil {
		return fmt.Errorf("stock the log: %w", err)
	}
	return nil
}

// fill appends in the fastest way that the system offers.
func (s *stage) fill(ctx context.Context, stream string, next int64, events []Event) error {
	s.logged += int64(len(events))
	switch x := s.instance.(type) {
	case Filler:
		return x.Fill(ctx, stream, next, events)
	case SingleAppender:
		for i := range events {
			if err := s.instance.(Appender).Append(ctx, stream, next+int64(i), events[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	case Appender:
		return x.Append(ctx, stream, next, events)
	}
	return errNotOffered
}

// bodies makes event data: hexadecimal digits, which are about as compressible as
// real events. Only one goroutine uses it.
type bodies struct {
	text []byte
	rng  *rand.Rand
}

// supply is the length in bytes of the text that data is cut from.
const supply = 1 << 20

// newText returns the text that the data of all events is cut from.
func newText() []byte {
	source := rand.NewChaCha8([32]byte{})
	raw := make([]byte, supply/2)
	_, _ = source.Read(raw) // never fails
	return hex.AppendEncode(nil, raw)
}

func (s *stage) bodies(seed uint64) *bodies {
	return &bodies{text: s.text, rng: rand.New(rand.NewPCG(seed, 2))}
}

// next returns data of the given size, which the caller must not change.
func (b *bodies) next(size int) []byte {
	at := b.rng.IntN(len(b.text) - size + 1)
	return b.text[at : at+size : at+size]
}
