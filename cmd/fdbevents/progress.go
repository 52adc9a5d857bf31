package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a progress bar on a terminal. The zero value shows nothing.
type progress struct {
	bar *progressbar.ProgressBar
}

// newProgress returns a bar, or one that shows nothing if show is false. total is -1 if
// unknown.
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
		// Start no goroutine, because it would draw over later output.
		progressbar.OptionSetSpinnerChangeInterval(0),
	)}
}

// add counts n more items. A bar that cannot be drawn is not an error.
func (p *progress) add(n int64) {
	if p.bar != nil {
		_ = p.bar.Add64(n)
	}
}

// set shows done of total.
func (p *progress) set(done, total int64) {
	if p.bar != nil {
		p.bar.ChangeMax64(total)
		_ = p.bar.Set64(done)
	}
}

// setKnown is set for work that may not know its total, which is then 0 or less.
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

// isTerminal reports whether a reader or writer is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
