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

// childVariable in the environment makes this program a child: writers, a member
// and a projection in a process that can be killed. It is told what to do by the
// first line of its input, ends in order with its input, and writes a line for
// each thing that it was told by the store.
const childVariable = "FDBEVENTS_SOAK_CHILD"

// orders are what a child is told.
type orders struct {
	URL     string
	Seed    uint64
	Faults  bool
	Writers []order
	// Life numbers the children of a run.
	Life uint64
}

// order lets a writer write, or go on with what one that was killed was at.
type order struct {
	Number   uint32
	Role     role
	Seq      uint32
	Revision int64
}

// news is one line of a child: one of its fields is set.
type news struct {
	Append  *report  `json:",omitempty"`
	Handing *handing `json:",omitempty"`
	Wrong   string   `json:",omitempty"`
	Defect  defect   `json:",omitempty"`
}

// child is the whole life of one.
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

// pipe is a witness that passes on what it hears. Each piece of news is one write:
// what was told before a kill arrives.
type pipe struct {
	mu  sync.Mutex
	out io.Writer
}

func (p *pipe) tell(n news) {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // these types have a text
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// Whoever does not listen any more ends the input, too.
	_, _ = p.out.Write(append(text, '\n'))
}

func (p *pipe) sent(uint32, bool, uint32)       {}
func (p *pipe) appended(r report)               { p.tell(news{Append: &r}) }
func (p *pipe) note(h handing)                  { p.tell(news{Handing: &h}) }
func (p *pipe) wrong(d defect, text string)     { p.tell(news{Wrong: text, Defect: d}) }
func (p *pipe) refused(ident)                   {} // children make no conditions
func (p *pipe) lost(uint64, fdbevents.Position) {}

// beChild is main for a child. It returns the exit code.
func beChild() int {
	if err := child(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak child:", err)
		return 1
	}
	return 0
}
