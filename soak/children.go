package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// firstChildWriter is the number of the first writer in a child; the writers in this
// process have smaller numbers.
const firstChildWriter = 1_000_000

// nursery runs the child processes of a run, one at a time: each is killed and
// replaced by another.
type nursery struct {
	checker *checker
	url     string
	faults  bool
	lives   uint64
	kills   int

	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr strings.Builder
	heard  sync.WaitGroup
	// held are the messages that were handed to the child, and whose end it has not
	// reported.
	held map[handing]bool
}

// childRoles are the roles of a child's writers.
var childRoles = []role{anyRole, anyRole, anyRole, anyRole, exactRole, exactRole, exactRole, exactRole, manyRole, manyRole, sharedRole, sharedRole}

// spawn starts a child. Its writers go on after the last acknowledged event of their
// predecessors, and repeat what may have been sent after it.
func (n *nursery) spawn() error {
	n.lives++
	o := orders{URL: n.url, Seed: n.checker.seed, Faults: n.faults, Life: n.lives}
	for i, r := range childRoles {
		number := uint32(firstChildWriter + i)
		seq, revision := n.checker.ledger(number, true).resume()
		o.Writers = append(o.Writers, order{number, r, seq, revision})
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	n.cmd = exec.Command(program)
	n.cmd.Env = append(os.Environ(), childVariable+"=1")
	n.stderr.Reset()
	n.cmd.Stderr = &n.stderr
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	n.held = make(map[handing]bool)
	n.heard.Go(func() { n.hear(out) })
	_, err = n.stdin.Write(append(text, '\n'))
	return err
}

// hear passes on what a child reports. A line that a kill has cut off does not count.
func (n *nursery) hear(out io.Reader) {
	lines := bufio.NewReaderSize(out, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var x news
		if err := json.Unmarshal(line, &x); err != nil {
			n.checker.verdict.add(refusals, "the child wrote %q: %v", line, err)
			continue
		}
		switch {
		case x.Append != nil:
			n.checker.appended(*x.Append)
		case x.Handing != nil:
			n.checker.note(*x.Handing)
			h := *x.Handing
			h.What = ""
			n.held[h] = x.Handing.What == handedOut
			if !n.held[h] {
				delete(n.held, h)
			}
		default:
			n.checker.verdict.add(x.Defect, "in the child: %s", x.Wrong)
		}
	}
}

// kill ends the child in the middle of its work.
func (n *nursery) kill() error {
	if err := n.cmd.Process.Kill(); err != nil {
		return n.told(err)
	}
	n.kills++
	n.heard.Wait()
	_ = n.cmd.Wait() // it was killed
	for h := range n.held {
		h.What = inDoubt // it may have learned the outcome, but had no time to report it
		n.checker.note(h)
	}
	_ = n.stdin.Close()
	return nil
}

// stop lets the child finish its work.
func (n *nursery) stop() error {
	if err := n.stdin.Close(); err != nil {
		return n.told(err)
	}
	n.heard.Wait()
	return n.told(n.cmd.Wait())
}

// told adds the child's error output to an error.
func (n *nursery) told(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("child %d: %w: %s", n.lives, err, strings.TrimSpace(n.stderr.String()))
}
