package harness

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
)

const (
	// abreast is how many stocked streams grow at the same time, so that the events
	// of one are far apart in the log, as they are in life.
	abreast = 100
	// stockedAtOnce is how many events a stocked stream gets in a row.
	stockedAtOnce = 10
	// foundTag is what one in TagEvery stocked events has.
	foundTag = "kind:rare"
)

// stockedStream names the i-th stream that stock made.
func stockedStream(i int) string { return fmt.Sprint("stock-", i) }

// stock appends streams of LoadedEvents events until there are n events at least.
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

// flush returns when all that fill appended is on disk.
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

// fill appends in the fastest way there is.
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

// bodies makes data of events: hexadecimal digits, about as compressible as real
// events are. One goroutine uses it.
type bodies struct {
	text []byte
	rng  *rand.Rand
}

// supply is how many bytes of text there are to cut data from.
const supply = 1 << 20

// newText is what the data of all events is cut from.
func newText() []byte {
	source := rand.NewChaCha8([32]byte{})
	raw := make([]byte, supply/2)
	_, _ = source.Read(raw) // never fails
	return hex.AppendEncode(nil, raw)
}

func (s *stage) bodies(seed uint64) *bodies {
	return &bodies{text: s.text, rng: rand.New(rand.NewPCG(seed, 2))}
}

// next is data of that size. It is not to be changed.
func (b *bodies) next(size int) []byte {
	at := b.rng.IntN(len(b.text) - size + 1)
	return b.text[at : at+size : at+size]
}
