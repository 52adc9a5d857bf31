package main

import (
	"slices"
	"strings"
	"testing"
)

// FuzzEntry: a line of input is an event with a stream and a type, or an error.
func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"stream":"s","type":"t","data":{"a":1},"tags":["x"],"created":"2026-01-31T12:00:00Z"}`))
	f.Add([]byte(`{"id":"00000000-0000-4000-8000-000000000001","dataBase64":"e30=","data":{},"metadata":null}`))
	f.Add([]byte(`{"revision":1,"position":"00","erased":true,"type":7}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, defaults := range []entryDefaults{{}, {stream: "s", eventType: "t"}} {
			e, err := parseEntry(line, defaults)
			switch {
			case err != nil && err.Error() == "":
				t.Error("an error without words")
			case err == nil && (e.stream == "" || e.event.Type == ""):
				t.Errorf("%q is read as %+v", line, e)
			}
		}
	})
}

// FuzzArrange: no word of a command line is lost, and none is invented but the
// program's name and "--".
func FuzzArrange(f *testing.F) {
	for _, line := range []string{
		"append orders --type Placed --db file:shop", "read --all --limit 3 -o json", "-- append", "append -- --type", "tail --db", "--db x", "read -", "read --limit=3 s",
		"append --type --help", "nonsense --db x", "read --all --db=mem: -- -x --", "",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Fields(line)
		app := (&program{}).app()
		got := arrange(app, slices.Clone(args))
		if len(got) == 0 || got[0] != app.Name {
			t.Fatalf("%q is arranged as %q", args, got)
		}
		if slices.Contains(got, "--help") {
			return // everything else is left out on purpose
		}
		want, have := slices.Clone(args), slices.Clone(got[1:])
		separator := func(s string) bool { return s == "--" }
		want, have = slices.DeleteFunc(want, separator), slices.DeleteFunc(have, separator)
		if n, m := len(want), len(have); n > 0 && m > 0 && want[n-1] == have[m-1] && strings.HasPrefix(have[m-1], "-") {
			// A flag without its value: arguments are left out, lest one is taken for it.
			want = slices.DeleteFunc(want, func(s string) bool { return !slices.Contains(have, s) })
		}
		slices.Sort(want)
		slices.Sort(have)
		if !slices.Equal(want, have) {
			t.Errorf("%q is arranged as %q", args, got)
		}
	})
}
