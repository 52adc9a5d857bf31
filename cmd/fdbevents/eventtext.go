package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fdbevents/fdbevents"
)

// textWriter writes events as lines for people.
type textWriter struct {
	out  *bufio.Writer
	line []byte
}

func newTextWriter(w io.Writer) *textWriter {
	return &textWriter{out: bufio.NewWriterSize(w, 64<<10)}
}

func (w *textWriter) Write(ev *fdbevents.Event) error {
	w.line = appendEventText(w.line[:0], ev)
	_, err := w.out.Write(w.line)
	return err
}

func (w *textWriter) Flush() error { return w.out.Flush() }

// appendEventText appends an event as one line for people:
//
//	POSITION STREAM@REVISION TYPE CREATED [TAG TAG] DATA metadata=METADATA
func appendEventText(dst []byte, ev *fdbevents.Event) []byte {
	dst = append(dst, ev.Position.String()...)
	dst = append(dst, ' ')
	dst = appendWord(dst, ev.Stream)
	dst = append(dst, '@')
	dst = strconv.AppendInt(dst, ev.Revision, 10)
	dst = append(dst, ' ')
	dst = appendWord(dst, ev.Type)
	dst = append(dst, ' ')
	dst = ev.Created.UTC().AppendFormat(dst, time.RFC3339Nano)
	if len(ev.Tags) > 0 {
		separator := byte('[')
		dst = append(dst, ' ')
		for _, tag := range ev.Tags {
			dst = append(dst, separator)
			dst = appendWord(dst, tag)
			separator = ' '
		}
		dst = append(dst, ']')
	}
	if len(ev.Data) > 0 {
		dst = append(dst, ' ')
		dst = appendPayloadText(dst, ev.Data)
	}
	if len(ev.Metadata) > 0 {
		dst = append(dst, " metadata="...)
		dst = appendPayloadText(dst, ev.Metadata)
	}
	if ev.Erased {
		dst = append(dst, " (erased)"...)
	}
	return append(dst, '\n')
}

// appendWord appends a name, quoted if it could be taken for several words.
func appendWord(dst []byte, s string) []byte {
	if strings.ContainsFunc(s, func(r rune) bool { return r == '"' || unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return strconv.AppendQuote(dst, s)
	}
	return append(dst, s...)
}

// appendPayloadText appends data or metadata as one line: JSON without line breaks, other
// text with escapes, anything else as base64.
func appendPayloadText(dst, payload []byte) []byte {
	if !utf8.Valid(payload) {
		return base64.StdEncoding.AppendEncode(append(dst, "base64:"...), payload)
	}
	if bytes.ContainsAny(payload, "\r\n") {
		var compact bytes.Buffer
		if json.Compact(&compact, payload) == nil {
			payload = compact.Bytes()
		}
	}
	if !bytes.ContainsFunc(payload, unicode.IsControl) {
		return append(dst, payload...)
	}
	for _, r := range string(payload) {
		switch {
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case unicode.IsControl(r):
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
