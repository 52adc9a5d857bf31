package jsonl

import (
	"bufio"
	"io"

	"github.com/fdbevents/fdbevents"
)

// Writer writes events as JSON lines. It buffers its output: call Flush after the last
// event, and whenever the lines should become visible.
type Writer struct {
	out  *bufio.Writer
	line []byte
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{out: bufio.NewWriterSize(w, 64<<10)}
}

// Write writes an event. An error of the underlying writer is returned by this and every
// later call.
func (w *Writer) Write(ev *fdbevents.Event) error {
	w.line = AppendEvent(w.line[:0], ev)
	_, err := w.out.Write(w.line)
	return err
}

// Flush writes the buffer to the underlying writer.
func (w *Writer) Flush() error { return w.out.Flush() }
