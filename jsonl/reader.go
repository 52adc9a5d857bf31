package jsonl

import "io"

// Reader reads events from JSON lines. It reads ahead.
type Reader struct {
	lines    *lineReader
	defaults Defaults
	err      error
}

// NewReader reads from r.
func NewReader(r io.Reader, d Defaults) *Reader {
	return &Reader{lines: newLineReader(r), defaults: d}
}

// Next returns the next event. Blank lines are passed over, and the last line needs no
// line break. At the end of the input the error is io.EOF. A line that cannot be read
// is a *[LineError]. No event follows an error: the next call returns it again.
func (r *Reader) Next() (Entry, error) {
	if r.err != nil {
		return Entry{}, r.err
	}
	line, err := r.lines.next()
	if err != nil {
		r.err = err
		return Entry{}, err
	}
	e, err := parse(line, r.defaults)
	if err != nil {
		r.err = &LineError{r.lines.number, r.lines.number, err}
		return Entry{}, r.err
	}
	e.Line = r.lines.number
	return e, nil
}
