package main

import (
	"sync"
	"sync/atomic"

	"github.com/fdbevents/fdbevents"
)

// checker records, apart from the store, what the store told writers, readers and
// members, and compares it in the end with what the store has. It trusts only the
// bytes of events and their streams, revisions and positions.
type checker struct {
	seed    uint64
	verdict verdict

	// acknowledged counts the acknowledged events, repeats the appends that were sent
	// again, unknown the outcomes that were unknown.
	acknowledged, repeats, unknown atomic.Int64
	// sure counts acknowledged transactions that must not be repeated, unsure such
	// transactions with an unknown outcome.
	sure, unsure atomic.Int64

	mu      sync.Mutex
	ledgers map[uint32]*ledger
	lines   []*line
	// claims is what the losers of each claim were told about the winner.
	claims map[uint64]uint32
	group  groupBook
	lives  map[string]*life
}

func newChecker(seed uint64) *checker {
	c := &checker{seed: seed, ledgers: make(map[uint32]*ledger), claims: make(map[uint64]uint32), lives: make(map[string]*life)}
	c.group.checker = c
	return c
}

// ledger returns the ledger of a writer, and creates it if necessary.
func (c *checker) ledger(writer uint32, ordered bool) *ledger {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.ledgers[writer]
	if !ok {
		l = &ledger{checker: c, writer: writer, ordered: ordered}
		c.ledgers[writer] = l
	}
	return l
}

func (c *checker) known(writer uint32) *ledger {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ledgers[writer]
}

// report is what a writer was told about one append.
type report struct {
	Writer, First uint32
	Ordered       bool
	Results       []reported
	// Repeated is how often it was sent again after the first time, and Unknown how
	// often its outcome was unknown.
	Repeated, Unknown int
}

// reported is the part of a result that the checker needs.
type reported struct {
	Stream      string
	First, Last int64
	At          fdbevents.Position
	// Count is how many events were sent.
	Count int
	// Nowhere is true if the writer was not told where the events are.
	Nowhere bool
}

func newReported(r fdbevents.AppendResult, count int) reported {
	return reported{Stream: r.Stream, First: r.FirstRevision, Last: r.LastRevision, At: r.Position, Count: count}
}

// appended notes an acknowledged append.
func (c *checker) appended(r report) {
	l := c.ledger(r.Writer, r.Ordered)
	c.repeats.Add(int64(r.Repeated))
	c.unknown.Add(int64(r.Unknown))
	seq := r.First
	for _, result := range r.Results {
		if got := result.Last - result.First + 1; !result.Nowhere && got != int64(result.Count) {
			c.verdict.add(moved, "%s: %d events were sent to stream %q, but revisions %d to %d were acknowledged", ident{r.Writer, seq}, result.Count, result.Stream, result.First, result.Last)
		}
		for i := range result.Count {
			revision, at := uint32(result.First)+uint32(i), unsaid
			if result.Nowhere {
				revision = unsaid
			} else if i == result.Count-1 { // a result has only the last event's position
				at = place(result.Stream, result.At)
			}
			if l.acknowledge(seq, revision, at) {
				c.acknowledged.Add(1)
			}
			seq++
		}
	}
}

func (c *checker) sent(writer uint32, ordered bool, through uint32) {
	c.ledger(writer, ordered).send(through)
}

func (c *checker) refused(id ident) { c.ledger(id.writer, true).refuse(id.seq) }

func (c *checker) note(h handing) { c.group.note(h) }

func (c *checker) wrong(d defect, text string) { c.verdict.add(d, "%s", text) }

// lost notes that a claim was refused because of the event at a position.
func (c *checker) lost(number uint64, winner fdbevents.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := place("", winner)
	if before, ok := c.claims[number]; ok && before != p {
		c.verdict.add(winners, "claim %d was refused because of the event at position %s, but earlier because of another one", number, winner)
	}
	c.claims[number] = p
}
