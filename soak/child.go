package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/fdbevents/fdbevents"
)

// childVariable in the environment makes this program a child: writers, a member and a
// projection in a process that can be killed. The first line of its input says what to
// do, the end of its input asks it to stop, and it writes a line for each thing that
// the store tells it.
const childVariable = "FDBEVENTS_SOAK_CHILD"

// orders is the first line of a child's input.
type orders struct {
	URL     string
	Seed    uint64
	Faults  bool
	Writers []order
	// Life numbers the children of a run.
	Life uint64
}

// order makes a writer write, or go on where a killed one stopped.
type order struct {
	Number   uint32
	Role     role
	Seq      uint32
	Revision int64
}

// news is one line of a child's output: one of Append, Handing and Wrong is set.
type news struct {
	Append  *report  `json:",omitempty"`
	Handing *handing `json:",omitempty"`
	Wrong   string   `json:",omitempty"`
	Defect  defect   `json:",omitempty"`
}

// child runs a child from its orders to its end.
func child(in io.Reader, out io.Writer) error {
	input := bufio.NewReader(in)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading orders: %w", err)
	}
	var o orders
	if err := json.Unmarshal(line, &o); err != nil {
		return fmt.Errorf("reading orders: %w", err)
	}
	ctx, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	s, err := openSite(ctx, o.URL, 1, o.Seed+o.Life, o.Faults)
	if err != nil {
		return err
	}
	c := newCrew(s, o.Seed, &pipe{out: out})
	for _, w := range o.Writers {
		c.write(ctx, w.Number, w.Role, w.Seq, w.Revision)
	}
	c.hire(ctx, "member", c.member)
	c.hire(ctx, "projection", c.project)
	_, err = io.Copy(io.Discard, input)
	return errors.Join(err, c.stop(giveUp), s.close())
}

// pipe is a witness that passes on what it hears. Each piece of news is one write, so
// that news sent before a kill arrives.
type pipe struct {
	mu  sync.Mutex
	out io.Writer
}

func (p *pipe) tell(n news) {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // these types can always be encoded
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// A parent that no longer listens has also closed the input.
	_, _ = p.out.Write(append(text, '\n'))
}

func (p *pipe) sent(uint32, bool, uint32)       {}
func (p *pipe) appended(r report)               { p.tell(news{Append: &r}) }
func (p *pipe) note(h handing)                  { p.tell(news{Handing: &h}) }
func (p *pipe) wrong(d defect, text string)     { p.tell(news{Wrong: text, Defect: d}) }
func (p *pipe) refused(ident)                   {} // children append without conditions
func (p *pipe) lost(uint64, fdbevents.Position) {}

// beChild is the main function of a child. It returns the exit code.
func beChild() int {
	if err := child(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak child:", err)
		return 1
	}
	return 0
}
