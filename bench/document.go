package main

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/report"
	"github.com/fdbevents/fdbevents/bench/report/plot"
)

// What stands between these lines of a document comes from a report.
const (
	begin = "<!-- what follows is made by go run ./bench --document; do not edit -->\n"
	end   = "<!-- the end of what is made -->\n"
)

// document writes the report in a folder beside a document into it, and its plots
// into that folder.
func document(file string) error {
	text, err := render(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// render is the document with what the report says now.
func render(file string) ([]byte, error) {
	old, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	before, rest, ok := bytes.Cut(old, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, fmt.Errorf("%s has no place for a report; write these lines into it:\n%s%s", file, begin, end)
	}
	dir := strings.TrimSuffix(file, filepath.Ext(file))
	r, err := harness.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		return nil, err
	}
	plots, err := plot.Draw(filepath.Join(dir, "plots"), r)
	if err != nil {
		return nil, err
	}
	for i := range plots {
		plots[i].Path = path.Join(filepath.Base(dir), plots[i].Path)
	}
	var b, inner bytes.Buffer
	if err := report.Markdown(&inner, r, plots); err != nil {
		return nil, err
	}
	b.Write(before)
	b.WriteString(begin)
	for line := range bytes.Lines(inner.Bytes()) {
		if bytes.HasPrefix(line, []byte("#")) {
			b.WriteByte('#') // it is a chapter here
		}
		b.Write(line)
	}
	b.WriteString(end)
	b.Write(after)
	return b.Bytes(), nil
}
