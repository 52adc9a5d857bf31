package jsonl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the maximum length of a line of input in bytes. An event of 8 MiB fits, with
// escapes or as base64.
const MaxLine = 32 << 20

// lineReader reads lines of any length up to MaxLine.
type lineReader struct {
	r *bufio.Reader
	// number is the number of the line read last, from 1.
	number int
	long   []byte
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 256<<10)}
}

// next returns the next line that is not blank, without surrounding space. The line is
// valid until the next call. The last line needs no line break. At the end, the error is
// io.EOF.
func (l *lineReader) next() ([]byte, error) {
	for {
		line, err := l.read()
		if line = bytes.TrimSpace(line); len(line) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (l *lineReader) read() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if len(line) > 0 {
		l.number++
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	l.long = l.long[:0]
	for {
		if len(l.long)+len(line) > MaxLine {
			return nil, &LineError{l.number, l.number, fmt.Errorf("longer than %d bytes; an event's data and metadata are limited to 8 MiB; is the input one JSON object per line?", MaxLine)}
		}
		l.long = append(l.long, line...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long, err
		}
		line, err = l.r.ReadSlice('\n')
	}
}
