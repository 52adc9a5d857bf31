package jsonl

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/fdbevents/fdbevents"
)

// AppendEvent appends an event to dst as one line, including the line break, and returns
// the extended buffer. It does not use json.Marshal, which would rewrite the data.
func AppendEvent(dst []byte, ev *fdbevents.Event) []byte {
	dst = append(dst, `{"stream":`...)
	dst = AppendString(dst, ev.Stream)
	dst = append(dst, `,"revision":`...)
	dst = strconv.AppendInt(dst, ev.Revision, 10)
	dst = append(dst, `,"position":"`...)
	dst = append(dst, ev.Position.String()...)
	dst = append(dst, `","id":"`...)
	dst = append(dst, ev.ID.String()...)
	dst = append(dst, `","type":`...)
	dst = AppendString(dst, ev.Type)
	dst = append(dst, `,"contentType":`...)
	dst = AppendString(dst, ev.ContentType)
	if len(ev.Tags) > 0 {
		separator := byte('[')
		dst = append(dst, `,"tags":`...)
		for _, tag := range ev.Tags {
			dst = append(dst, separator)
			dst = AppendString(dst, tag)
			separator = ','
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `,"created":"`...)
	dst = ev.Created.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, '"')
	dst = appendPayloadJSON(dst, "data", ev.Data)
	dst = appendPayloadJSON(dst, "metadata", ev.Metadata)
	if ev.Erased {
		dst = append(dst, `,"erased":true`...)
	}
	return append(dst, '}', '\n')
}

// appendPayloadJSON appends data or metadata: JSON unchanged, anything else as base64. JSON
// that would not survive inside a line, because it spans several lines or has space around
// it, is written in both forms, one readable and one exact.
func appendPayloadJSON(dst []byte, name string, payload []byte) []byte {
	if len(payload) == 0 {
		return dst
	}
	isJSON := utf8.Valid(payload) && json.Valid(payload)
	exact := isJSON && !bytes.ContainsAny(payload, "\r\n") && !isSpace(payload[0]) && !isSpace(payload[len(payload)-1])
	if isJSON {
		dst = append(dst, ',', '"')
		dst = append(dst, name...)
		dst = append(dst, '"', ':')
		if exact {
			return append(dst, payload...)
		}
		compact := bytes.NewBuffer(dst)
		_ = json.Compact(compact, payload) // it is valid
		dst = compact.Bytes()
	}
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, `Base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, payload)
	return append(dst, '"')
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// AppendString appends s to dst as a JSON string and returns the extended buffer. Like
// AppendEvent, it does not escape HTML. It is for lines that hold more than an event.
func AppendString(dst []byte, s string) []byte {
	plain := func(c byte) bool { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' }
	for i := range len(s) {
		if !plain(s[i]) {
			quoted := bytes.NewBuffer(dst)
			encoder := json.NewEncoder(quoted)
			encoder.SetEscapeHTML(false)
			_ = encoder.Encode(s) // encoding a string cannot fail
			return bytes.TrimSuffix(quoted.Bytes(), []byte{'\n'})
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
