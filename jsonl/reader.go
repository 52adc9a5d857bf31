package jsonl

import "io"

// Reader reads events from JSON lines. It buffers its input and so reads ahead.
type Reader struct {
	lines    *lineReader
	defaults Defaults
	err      error
}

// NewReader returns a Reader that reads from r.
func NewReader(r io.Reader, d Defaults) *Reader {
	return &Reader{lines: newLineReader(r), defaults: d}
}

// Next returns the next event. It skips blank lines, and the last line needs no line
// break. At the end of the input the error is io.EOF; a line that cannot be parsed is a
// *[LineError]. After an error, every call returns the same error.
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
