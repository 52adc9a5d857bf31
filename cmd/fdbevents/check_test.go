package main

import (
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/tuple"
)

func TestCheck(t *testing.T) {
	db := seed(t)
	equal(t, "check", must(t, "", "check", db), "clean: 4 events in 3 streams, 4 ids, 6 tags\n")

	// Lose the tag index.
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
	r = invoke(t, "", "check", db, "--sample", "50%")
	if r.code != exitFailure || !strings.Contains(r.errors, " found in 2 events sampled from 3 streams, seed ") {
		t.Errorf("got %+v", r)
	}
	out := must(t, "", "check", db, "--repair")
	if all := lines(out); len(all) != 7 || !strings.HasPrefix(all[0], "repaired: event ") || !strings.HasSuffix(all[5], ": tag index entry rewritten") ||
		all[6] != "clean, 6 problems repaired: 4 events in 3 streams, 4 ids, 6 tags" {
		t.Errorf("repair:\n%s", out)
	}
	equal(t, "check", must(t, "", "check", db, "--repair"), "clean: 4 events in 3 streams, 4 ids, 6 tags\n")
	equal(t, "sample", must(t, "", "check", db, "--sample", "3", "--seed", "7"), "clean: 3 events sampled from 3 streams, seed 7\n")
	equal(t, "sample", must(t, "", "check", db, "--sample", "100%", "--seed", "7"), "clean: 4 events sampled from 3 streams, seed 7\n")
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
		t.Error("a buffer is taken for a terminal")
	}
}
