package jsonl

import (
	"bufio"
	"io"

	"github.com/fdbevents/fdbevents"
)

// Writer writes events as JSON lines. It has a buffer: whoever wants to see the lines
// calls Flush, at the latest after the last event.
type Writer struct {
	out  *bufio.Writer
	line []byte
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{out: bufio.NewWriterSize(w, 64<<10)}
}

// Write writes an event. An error comes from the underlying writer, and again
// from every later call.
func (w *Writer) Write(ev *fdbevents.Event) error {
	w.line = AppendEvent(w.line[:0], ev)
	_, err := w.out.Write(w.line)
	return err
}

// Flush hands on what is in the buffer.
func (w *Writer) Flush() error { return w.out.Flush() }
