package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a bar on a terminal, or nothing.
type progress struct {
	bar *progressbar.ProgressBar
}

// newProgress makes a bar, unless show is false. total is -1 when unknown.
func newProgress(w io.Writer, show bool, what string, total int64) *progress {
	if !show {
		return &progress{}
	}
	return &progress{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		// No goroutine of its own, which would draw over what comes after.
		progressbar.OptionSetSpinnerChangeInterval(0),
	)}
}

// add counts n more. A bar that cannot be drawn is no reason to fail.
func (p *progress) add(n int64) {
	if p.bar != nil {
		_ = p.bar.Add64(n)
	}
}

// set is for work that knows how much there is.
func (p *progress) set(done, total int64) {
	if p.bar != nil {
		p.bar.ChangeMax64(total)
		_ = p.bar.Set64(done)
	}
}

// setKnown is set for work that may not know how much there is: total is then 0 or
// less.
func (p *progress) setKnown(done, total int64) {
	switch {
	case p.bar == nil:
	case total > 0:
		p.set(done, total)
	default:
		_ = p.bar.Set64(done)
	}
}

// finish removes the bar.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// isTerminal reports whether a reader or writer is one.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
