package main

import (
	"slices"
	"strings"
	"testing"
)

// FuzzArrange verifies that no word of a command line is lost, and none added but the
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
			return // everything else is dropped on purpose
		}
		want, have := slices.Clone(args), slices.Clone(got[1:])
		separator := func(s string) bool { return s == "--" }
		want, have = slices.DeleteFunc(want, separator), slices.DeleteFunc(have, separator)
		if n, m := len(want), len(have); n > 0 && m > 0 && want[n-1] == have[m-1] && strings.HasPrefix(have[m-1], "-") {
			// A flag lacks its value. The arguments are dropped, so that none is taken for it.
			want = slices.DeleteFunc(want, func(s string) bool { return !slices.Contains(have, s) })
		}
		slices.Sort(want)
		slices.Sort(have)
		if !slices.Equal(want, have) {
			t.Errorf("%q is arranged as %q", args, got)
		}
	})
}
