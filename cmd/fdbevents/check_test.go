package main

import (
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
	"github.com/fdbevents/fdbevents/fdblayer/engine/engines"
	"github.com/fdbevents/fdbevents/tuple"
)

func TestCheck(t *testing.T) {
	db := seed(t)
	equal(t, "check", must(t, "", "check", db), "clean: 4 events in 3 streams, 4 ids, 6 tags\n")

	// The tag index gets lost.
	e, err := engines.Open(t.Context(), strings.TrimPrefix(db, "--db="))
	if err != nil {
		t.Fatal(err)
	}
	err = engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
		tr.ClearRange(engine.Range{Begin: tuple.AppendInt(nil, 5), End: tuple.AppendInt(nil, 6)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	r := invoke(t, "", "check", db)
	if r.code != exitFailure {
		t.Errorf("exit code %d", r.code)
	}
	equal(t, "message", r.errors, "fdbevents: 6 problems found in 4 events in 3 streams, 4 ids, 0 tags\n")
	if problems := lines(r.out); len(problems) != 6 || !strings.Contains(problems[0], "tag") {
		t.Errorf("problems\n%s", r.out)
	}
}

func TestProgress(t *testing.T) {
	var terminal strings.Builder
	bar := newProgress(&terminal, true, "checking", -1)
	bar.set(30, 100)
	bar.set(100, 100)
	bar.finish()
	if out := terminal.String(); !strings.Contains(out, "checking") || !strings.Contains(out, "100") {
		t.Errorf("the bar is %q", out)
	}
	terminal.Reset()
	bar = newProgress(&terminal, true, "appending", -1)
	bar.add(7)
	bar.finish()
	if out := terminal.String(); !strings.Contains(out, "appending") || !strings.Contains(out, "7") {
		t.Errorf("the bar is %q", out)
	}
	terminal.Reset()
	bar = newProgress(&terminal, false, "checking", -1)
	bar.add(1)
	bar.set(1, 2)
	bar.finish()
	equal(t, "hidden bar", terminal.String(), "")
	if isTerminal(&terminal) {
		t.Error("a buffer is no terminal")
	}
}
