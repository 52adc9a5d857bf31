package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/archive"
	"github.com/fdbevents/fdbevents/jsonl"
)

func TestHelp(t *testing.T) {
	overview := must(t, "")
	for _, name := range []string{"append", "read", "tail", "groups", "streams", "stat", "export", "import", "check", "completion", "--db URL"} {
		if !strings.Contains(overview, "\n   "+name) {
			t.Errorf("the help does not list %q", name)
		}
	}
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		equal(t, strings.Join(args, " "), must(t, "", args...), overview)
	}
	tail := must(t, "", "tail", "--help")
	if !strings.Contains(tail, "begin after this POSITION") || !strings.Contains(tail, "FDBEVENTS_DB") {
		t.Errorf("help of tail:\n%s", tail)
	}
	for _, args := range [][]string{{"help", "tail"}, {"tail", "-h"}, {"tail", "orders", "--help"}, {"tail", "--all", "--from", "x", "-h"}} {
		equal(t, strings.Join(args, " "), must(t, "", args...), tail)
	}
}

// Every wrong command line gives exit code 2, a message, and the command whose help to read.
func TestUsageErrors(t *testing.T) {
	for _, tt := range []struct {
		args    string
		message string
	}{
		{"frobnicate", `unknown command "frobnicate"`},
		{"help frobnicate", `unknown command "frobnicate"`},
		{"--nope", "flag provided but not defined: -nope"},
		{"read --nope", "flag provided but not defined: -nope"},
		{"read", "read needs a STREAM or --all"},
		{"read a b", `read takes one STREAM, got ["a" "b"]`},
		{"read a --all", "read takes a STREAM or --all, not both"},
		{"read a --stream-prefix x", "--stream-prefix needs --all"},
		{"read a --limit 0", "--limit 0: want 1 or more"},
		{"read a --limit -3", "--limit -3: want 1 or more"},
		{"read a --limit x", `invalid value "x" for flag -limit: parse error`},
		{"read a --from", "flag needs an argument: -from"},
		{"read a --from x", `--from "x": want start, end or a revision (0, 1, 2, …)`},
		{"read a --from -1", `--from "-1": want start, end or a revision (0, 1, 2, …)`},
		{"read --all --from 7", `--from "7": want start, end or a position (24 hex digits, as printed by read)`},
		{"read --all -o yaml", `--output "yaml": want text or json`},
		{"tail", "tail needs a STREAM or --all"},
		{"tail --all --backward", "flag provided but not defined: -backward"},
		{"tail a --from x", `--from "x": want start, end or a revision (0, 1, 2, …)`},
		{"tail a --group g", "--group needs --all"},
		{"groups", "groups needs an action: list, show, parked, replay, reset, pause, resume, delete"},
		{"groups frob", `groups has no action "frob"; want one of list, show, parked, replay, reset, pause, resume, delete`},
		{"groups list x", `groups list takes no arguments, got ["x"]`},
		{"groups show", `groups show takes one NAME, got []`},
		{"groups delete a b", `groups delete takes one NAME, got ["a" "b"]`},
		{"groups reset a", "groups reset needs --to: start, end or a position"},
		{"groups reset a --to 7", `--to "7": want start, end or a position (24 hex digits, as printed by read)`},
		{"groups show a --to start", "--to is only for groups reset"},
		{"groups list -o x", `--output "x": want text or json`},
		{"streams a b", `streams takes one PREFIX, got ["a" "b"]`},
		{"streams -o x", `--output "x": want text or json`},
		{"stat x", `stat takes no arguments, got ["x"]`},
		{"stat -o x", `--output "x": want text or json`},
		{"check x", `check takes no arguments, got ["x"]`},
		{"check --seed 7", "--seed needs --sample"},
		{"check --sample 1% --repair", "--repair checks the whole store; it cannot be combined with --sample"},
		{"check --sample 0", `--sample "0": want a percentage of the events, as in 1%, up to 100%, or a number of events`},
		{"check --sample 101%", `--sample "101%": want a percentage of the events, as in 1%, up to 100%, or a number of events`},
		{"check --sample x%", `--sample "x%": want a percentage of the events, as in 1%, up to 100%, or a number of events`},
		{"completion", "completion takes one of bash, zsh and fish, got []"},
		{"completion csh", `no completion for "csh"; want bash, zsh or fish`},
		{"append a b", `append takes one STREAM, got ["a" "b"]`},
		{"append a --expected x", `--expected: expected revision "x": want any, none, exists or a revision (0, 1, 2, …)`},
		{"append --type T --data 1", "append --data needs a STREAM"},
		{"append a --data 1", "append --data needs a --type"},
		{"append a --type T --data {", "--data is not JSON; name its type with --content-type"},
		{"append a --type T --data 1 --id 7", `--id: id "7": want a UUID: invalid UUID length: 1`},
		{"append a --type T --data 1 --id 00000000-0000-0000-0000-000000000000",
			`--id: id "00000000-0000-0000-0000-000000000000": the zero UUID is not a valid id; leave it out to get a random one`},
		{"append a --type T --data 1 --file x", "--data is for one event; --file, --batch and --in-order are for JSON lines"},
		{"append a --type T --data 1 --batch 2", "--data is for one event; --file, --batch and --in-order are for JSON lines"},
		{"append a --type T --data - --metadata -", "only one of --data and --metadata can be standard input"},
		{"append a --tag x", "--tag needs --data; with JSON lines, set it in each line"},
		{"append a --id x", "--id needs --data; with JSON lines, set it in each line"},
		{"append a --metadata 1", "--metadata needs --data; with JSON lines, set it in each line"},
		{"append a --content-type x", "--content-type needs --data; with JSON lines, set it in each line"},
		{"append a --batch 0", "--batch 0: want 1 to 4096"},
		{"append a --batch 4097", "--batch 4097: want 1 to 4096"},
		{"append a --type T --data 1 --after start", "--after needs --unless-query"},
		{"append a --type T --data 1 --unless-query x", `--unless-query: query "x": 1:1: unexpected token "x"; want for example: type=A,B tag=X or tag="Y Z"`},
		{"append a --type T --data 1 --unless-query all --after 7", `--after "7": want start, end or a position (24 hex digits, as printed by read)`},
		{"append a --type T --data 1 --unless-query all --after end",
			"--after end: no event comes after the end, so the condition could never fail; give the position of the last event you have read"},
		{"append a --unless-query all --batch 3", "--unless-query appends the whole input as one; it cannot be combined with --batch or --in-order"},
		{"read --all --query type=A --tag x", "--query cannot be combined with --type or --tag"},
		{"read --all --query=", `--query: query "": is empty; want for example: type=A,B tag=X or tag="Y Z"`},
		{"delete", "delete takes one STREAM, got []"},
		{"delete a --expected x", `--expected: expected revision "x": want any, none, exists or a revision (0, 1, 2, …)`},
		{"truncate a", "truncate needs --before"},
		{"truncate a --before x", `--before "x": want start, end or a revision (0, 1, 2, …)`},
		{"retain", "retain takes one STREAM, got []"},
		{"retain a --max-age x", `invalid value "x" for flag -max-age: parse error`},
		{"index", "index needs an action: list, create, drop"},
		{"index build type", `index has no action "build"; want one of list, create, drop`},
		{"index list x", `index list takes no arguments, got ["x"]`},
		{"index create", "index create takes type or category, got []"},
		{"export", "export takes one FILE, got []"},
		{"export a b", `export takes one FILE, got ["a" "b"]`},
		{"export a --query x", `--query: query "x": 1:1: unexpected token "x"; want for example: type=A,B tag=X or tag="Y Z"`},
		{"import", "import takes one FILE, got []"},
		{"import - --verify", "--verify reads the archive twice, which standard input does not allow; name a FILE"},
		{"scavenge x", `scavenge takes no arguments, got ["x"]`},
		{"erase", "erase takes one EVENT-ID, got []"},
		{"erase x", `id "x": want a UUID: invalid UUID length: 1`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Chdir(t.TempDir())
			args := strings.Fields(tt.args)
			r := invoke(t, "", args...)
			if r.code != exitUsage {
				t.Errorf("exit code %d", r.code)
			}
			see := "fdbevents"
			if !strings.HasPrefix(args[0], "-") && args[0] != "frobnicate" {
				see += " " + args[0]
			}
			equal(t, "message", r.errors, fmt.Sprintf("fdbevents: %s\nSee '%s --help'.\n", tt.message, see))
			equal(t, "output", r.out, "")
			if entries, _ := os.ReadDir("."); len(entries) > 0 {
				t.Errorf("it left %v behind", entries)
			}
		})
	}
}

// Values that only the store finds invalid are usage errors, too, if they come from the
// command line.
func TestUsageErrorsOfTheStore(t *testing.T) {
	db := newDB(t)
	for _, tt := range []struct {
		args    []string
		message string
	}{
		{[]string{"append", "$x", "--type", "T", "--data", "1"}, `stream name "$x": names that begin with $ are reserved for virtual streams`},
		{[]string{"append", "a\nb", "--type", "T", "--data", "1"}, `stream name "a\nb": must not have control characters (found U+000A)`},
		{[]string{"append", "a", "--type", "T", "--data", "1", "--tag", ""}, `event 1 of 1 for stream "a": tag "": must not be empty`},
		{[]string{"append", "a", "--type", "T", "--data", "1", "--tag", "x", "--tag", "x"}, `event 1 of 1 for stream "a": tag "x": is given twice on one event`},
		{[]string{"append", "a", "--type", strings.Repeat("T", 1025), "--data", "1"}, `event 1 of 1 for stream "a": event type: 1025 bytes, limit 1024`},
		{[]string{"tail", strings.Repeat("s", 1025)}, "stream name: 1025 bytes, limit 1024"},
		{[]string{"tail", "--all", "--type", ""}, `event type in query "": must not be empty`},
	} {
		r := invoke(t, "", append(tt.args, db)...)
		if r.code != exitUsage {
			t.Errorf("%s: exit code %d", tt.message, r.code)
		}
		equal(t, "message", r.errors, "fdbevents: "+tt.message+"\n")
	}
}

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{errors.New("x"), exitFailure},
		{errors.Join(errors.New("x"), fdbevents.ErrEventNotFound), exitNotFound},
		{&usageError{}, exitUsage},
		{&fdbevents.InvalidError{}, exitUsage},
		{&jsonl.LineError{Err: &fdbevents.InvalidError{}}, exitFailure},
		{&jsonl.LineError{Err: &fdbevents.LimitError{}}, exitFailure},
		{&jsonl.LineError{Err: &fdbevents.WrongExpectedRevisionError{}}, exitRefused},
		{&fdbevents.WrongExpectedRevisionError{}, exitRefused},
		{&fdbevents.ConditionError{}, exitRefused},
		{&fdblayer.RestoreConflictError{}, exitRefused},
		{&archive.BlockError{Err: &fdbevents.InvalidError{}}, exitFailure},
		{fdbevents.ErrStreamNotFound, exitNotFound},
		{fdbevents.ErrGroupNotFound, exitNotFound},
		{fdbevents.ErrProjectionNotFound, exitNotFound},
		{fdbevents.ErrGroupDeleted, exitNotFound},
		{fdbevents.ErrStreamDeleted, exitNotFound},
		{&fdbevents.TruncatedError{}, exitNotFound},
		{&fdbevents.IDConflictError{}, exitRefused},
		{fdbevents.ErrOutcomeUnknown, exitFailure},
		{fdbevents.ErrClosed, exitFailure},
		{context.Canceled, exitFailure},
	} {
		if got := exitCode(fmt.Errorf("wrapped: %w", tt.err)); got != tt.want {
			t.Errorf("%T: %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestArrange(t *testing.T) {
	app := (&program{}).app()
	for _, tt := range []struct{ args, want string }{
		{"", "fdbevents"},
		{"--version", "fdbevents --version"},
		{"read a", "fdbevents read -- a"},
		{"read a --limit 3 -o json", "fdbevents read --limit 3 -o json -- a"},
		{"read a --limit=3 --db file:x", "fdbevents --db file:x read --limit=3 -- a"},
		{"--db file:x read a --db file:y", "fdbevents --db file:x --db file:y read -- a"},
		{"read --all --backward", "fdbevents read --all --backward"},
		{"read --backward a --all", "fdbevents read --backward --all -- a"},
		{"append a --data - --type T", "fdbevents append --data - --type T -- a"},
		{"append a --type T --data", "fdbevents append --type T --data"},
		{"append a --type T --db", "fdbevents --db"},
		{"append -- --a --type", "fdbevents append -- --a --type"},
		{"append --type T -- -a", "fdbevents append --type T -- -a"},
		{"append a --type -h", "fdbevents append --type -h -- a"},
		{"append -", "fdbevents append -- -"},
		{"append a --nope b", "fdbevents append --nope -- a b"},
		{"groups reset g --to end", "fdbevents groups --to end -- reset g"},
		{"read a -h --limit", "fdbevents read --help"},
		{"--nope read a", "fdbevents --nope read -- a"},
		{"nope a --b", "fdbevents nope a --b"},
		{"read --all --generate-bash-completion", "fdbevents read --all --generate-bash-completion"},
	} {
		got := arrange(app, strings.Fields(tt.args))
		if !slices.Equal(got, strings.Fields(tt.want)) {
			t.Errorf("%s\ngot  %q\nwant %q", tt.args, got, tt.want)
		}
	}
}

func TestDatabaseFlag(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, "", "append", "a", "--type", "Default", "--data", "1")
	if _, err := os.Stat("fdbevents-data"); err != nil {
		t.Error(err)
	}
	t.Setenv("FDBEVENTS_DB", "file:other")
	must(t, "", "append", "a", "--type", "Environment", "--data", "1")
	must(t, "", "--db", "file:third", "append", "a", "--type", "Flag", "--data", "1")
	for db, want := range map[string]string{"file:fdbevents-data": "Default", "file:other": "Environment", "file:third": "Flag"} {
		if out := must(t, "", "read", "a", "--db", db); !strings.Contains(out, " "+want+" ") {
			t.Errorf("%s has %q, want %s", db, out, want)
		}
	}
	if r := invoke(t, "", "read", "a", "--db", "nope"); r.code != exitFailure ||
		r.errors != "fdbevents: database \"nope\": unknown kind; want file:DIR, mem: or fdb:CLUSTERFILE?prefix=NAME\n" {
		t.Errorf("exit code %d: %s", r.code, r.errors)
	}
	must(t, "", "read", "--all", "--db", "mem:")
}

// A command that only reads does not create a store in a mistyped directory.
func TestNoStore(t *testing.T) {
	missing, empty := filepath.Join(t.TempDir(), "missing"), t.TempDir()
	for _, args := range [][]string{{"read", "a"}, {"read", "--all"}, {"groups", "list"}, {"streams"}, {"stat"}, {"export", "x"}, {"check"}} {
		for dir, reason := range map[string]string{missing: "the directory does not exist", empty: "the directory is empty"} {
			r := invoke(t, "", append(args, "--db", "file:"+dir)...)
			if r.code != exitFailure {
				t.Errorf("%q: exit code %d", args, r.code)
			}
			equal(t, fmt.Sprintf("%q", args), r.errors, fmt.Sprintf(
				"fdbevents: no store in %s: %s; choose another with --db or FDBEVENTS_DB, or create a store with: fdbevents append\n", dir, reason))
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("it created the missing directory")
	}
	if entries, _ := os.ReadDir(empty); len(entries) > 0 {
		t.Errorf("it wrote %v to the empty directory", entries)
	}
}
