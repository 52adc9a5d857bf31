package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestReadText(t *testing.T) {
	db := seed(t)
	equal(t, "all", plain(must(t, "", "read", "--all", db)), `POSITION order-1@0 Placed 2026-01-31T12:00:00Z [customer:7] {"items":3}
POSITION order-2@0 Placed 2026-01-31T12:00:01.5Z [customer:8 vip] {"items":1}
POSITION order-1@1 Shipped 2026-01-31T12:00:02Z [customer:7] metadata={"by":"ann"}
POSITION return-1@0 Returned 2026-01-31T12:00:03Z [customer:8 vip] "late"
`)
}

func TestReadJSON(t *testing.T) {
	db := seed(t)
	equal(t, "all", plain(must(t, "", "read", "--all", "--output", "json", db)), `{"stream":"order-1","revision":0,"position":"POSITION","id":"UUID","type":"Placed","contentType":"application/json","tags":["customer:7"],"created":"2026-01-31T12:00:00Z","data":{"items":3}}
{"stream":"order-2","revision":0,"position":"POSITION","id":"UUID","type":"Placed","contentType":"application/json","tags":["customer:8","vip"],"created":"2026-01-31T12:00:01.5Z","data":{"items":1}}
{"stream":"order-1","revision":1,"position":"POSITION","id":"UUID","type":"Shipped","contentType":"application/json","tags":["customer:7"],"created":"2026-01-31T12:00:02Z","metadata":{"by":"ann"}}
{"stream":"return-1","revision":0,"position":"POSITION","id":"UUID","type":"Returned","contentType":"application/json","tags":["customer:8","vip"],"created":"2026-01-31T12:00:03Z","data":"late"}
`)
}

func TestReadSelects(t *testing.T) {
	db := seed(t)
	all := lines(must(t, "", "read", "--all", db))
	second := all[1][:24]
	for _, tt := range []struct{ args, want string }{
		{"order-1", "0 2"},
		{"order-1 --backward", "2 0"},
		{"order-1 --from 1", "2"},
		{"order-1 --from start", "0 2"},
		{"order-1 --from end", ""},
		{"order-1 --from end --backward", "2 0"},
		{"order-1 --from 0 --backward", "0"},
		{"order-1 --from 7", ""},
		{"order-1 --limit 1", "0"},
		{"order-1 --type Shipped", "2"},
		{"order-1 --tag vip", ""},
		{"--all", "0 1 2 3"},
		{"--all --backward", "3 2 1 0"},
		{"--all --backward --limit 2", "3 2"},
		{"--all --from start --limit 1", "0"},
		{"--all --from end", ""},
		{"--all --from " + second, "1 2 3"},
		{"--all --from " + second + " --backward", "1 0"},
		{"--all --stream-prefix order", "0 1 2"},
		{"--all --stream-prefix order-2", "1"},
		{"--all --type Placed", "0 1"},
		{"--all --type Placed --type Returned", "0 1 3"},
		{"--all --tag customer:8", "1 3"},
		{"--all --tag customer:8 --tag vip", "1 3"},
		{"--all --tag customer:7 --tag vip", ""},
		{"--all --tag vip --type Placed --limit 5 --stream-prefix order --backward", "1"},
		{"--all --type nothing", ""},
	} {
		var got []string
		for _, line := range lines(must(t, "", append([]string{"read", db}, strings.Fields(tt.args)...)...)) {
			got = append(got, fmt.Sprint(slices.Index(all, line)))
		}
		equal(t, tt.args, strings.Join(got, " "), tt.want)
	}
	r := invoke(t, "", "read", "order-3", db)
	if r.code != exitNotFound || r.errors != "fdbevents: stream \"order-3\" not found\n" {
		t.Errorf("exit code %d: %s", r.code, r.errors)
	}
}

// Whatever an event holds, it is printed on one line, and its JSON form can be appended
// again with the same bytes.
func TestReadOddEvents(t *testing.T) {
	db := newDB(t)
	const in = `{"stream":"with space","type":"A B","tags":["a b","q\"q","<&>","ü"],"data":{"html":"<&>","n":1.0}}
{"stream":"ünï","type":"T","dataBase64":"eyJhIjoKMX0="}
{"stream":"s","type":"T","dataBase64":"IDEg","metadataBase64":"/w=="}
{"stream":"s","type":"T","contentType":"text/plain","dataBase64":"YQkBGwp/woViDWM="}
{"stream":"s","type":"T","data":{"dup":1,"dup":2,"esc":"\u0041\/\u2028","big":123456789012345678901234567890,"sp" : [ 1 ]}}
{"stream":"s","type":"T","dataBase64":"Iv8i"}
`
	must(t, in, "append", "--in-order", db)
	times := regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z`)
	equal(t, "text", times.ReplaceAllString(plain(must(t, "", "read", "--all", db)), "TIME"), `POSITION "with space"@0 "A B" TIME ["a b" "q\"q" <&> ü] {"html":"<&>","n":1.0}
POSITION ünï@0 T TIME {"a":1}
POSITION s@0 T TIME  1  metadata=base64:/w==
POSITION s@1 T TIME a\t\u0001\u001b\n\u007f\u0085b\rc
POSITION s@2 T TIME {"dup":1,"dup":2,"esc":"\u0041\/\u2028","big":123456789012345678901234567890,"sp" : [ 1 ]}
POSITION s@3 T TIME base64:Iv8i
`)
	got := must(t, "", "read", "--all", "-o", "json", db)
	equal(t, "JSON", times.ReplaceAllString(plain(got), "TIME"), `{"stream":"with space","revision":0,"position":"POSITION","id":"UUID","type":"A B","contentType":"application/json","tags":["a b","q\"q","<&>","ü"],"created":"TIME","data":{"html":"<&>","n":1.0}}
{"stream":"ünï","revision":0,"position":"POSITION","id":"UUID","type":"T","contentType":"application/octet-stream","created":"TIME","data":{"a":1},"dataBase64":"eyJhIjoKMX0="}
{"stream":"s","revision":0,"position":"POSITION","id":"UUID","type":"T","contentType":"application/octet-stream","created":"TIME","data":1,"dataBase64":"IDEg","metadataBase64":"/w=="}
{"stream":"s","revision":1,"position":"POSITION","id":"UUID","type":"T","contentType":"text/plain","created":"TIME","dataBase64":"YQkBGwp/woViDWM="}
{"stream":"s","revision":2,"position":"POSITION","id":"UUID","type":"T","contentType":"application/json","created":"TIME","data":{"dup":1,"dup":2,"esc":"\u0041\/\u2028","big":123456789012345678901234567890,"sp" : [ 1 ]}}
{"stream":"s","revision":3,"position":"POSITION","id":"UUID","type":"T","contentType":"application/octet-stream","created":"TIME","dataBase64":"Iv8i"}
`)
	// Appended to the same store again, each event is recognised as a repeat.
	again := must(t, got, "append", db)
	if n := strings.Count(again, `"repeat":true`); n != 6 {
		t.Errorf("%d repeats of 6:\n%s", n, again)
	}
	copied := newDB(t)
	must(t, got, "append", "--in-order", copied)
	equal(t, "copy", withoutPositions(must(t, "", "read", "--all", "-o", "json", copied)), withoutPositions(got))
	checkClean(t, copied, "")
}

func withoutPositions(text string) string { return inJSON.ReplaceAllString(text, `"position":""`) }

var inJSON = regexp.MustCompile(`"position":"[0-9a-f]{24}"`)

// The JSON form copies the sample data, or part of it, from one store to another.
func TestReadSample(t *testing.T) {
	sample := filepath.Join("..", "..", "examples", "retail", "retail.ndjson")
	first, second := newDB(t), newDB(t)
	r := invoke(t, "", "append", "--file", sample, first)
	if r.code != exitOK || len(lines(r.out)) != 7419 {
		t.Fatalf("exit code %d, %d results: %s", r.code, len(lines(r.out)), r.errors)
	}
	checkClean(t, first, "clean: 7419 events in 418 streams, 7419 ids, 19967 tags\n")
	r = invoke(t, "", "append", "--file", sample, first)
	if r.code != exitOK || !strings.HasSuffix(r.errors, "; 7419 already stored\n") {
		t.Fatalf("exit code %d: %s", r.code, r.errors)
	}
	all := must(t, "", "read", "--all", "-o", "json", "--limit", "1500", first)
	must(t, all, "append", "--batch", "50", second)
	want, got := lines(withoutPositions(all)), lines(withoutPositions(must(t, "", "read", "--all", "-o", "json", second)))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Error("the copy differs")
	}
	checkClean(t, second, "")
}

// "read --all | head" is not a failure; any other error of the output is.
func TestReadBrokenOutput(t *testing.T) {
	db := seed(t)
	for _, command := range [][]string{{"read", "--all"}, {"streams"}} {
		for _, tt := range []struct {
			err  error
			code int
		}{{io.ErrClosedPipe, exitOK}, {errors.New("disk full"), exitFailure}} {
			var stderr strings.Builder
			if code := run(t.Context(), append(command, db), nil, brokenWriter{tt.err}, &stderr); code != tt.code {
				t.Errorf("%q with %v: exit code %d: %s", command, tt.err, code, &stderr)
			}
		}
	}
	for _, command := range []string{"read", "tail"} {
		s := spawn(t, command, "--all", db)
		s.line()
		if err := s.output.Close(); err != nil {
			t.Fatal(err)
		}
		if command == "tail" { // writes again only if there is something new
			must(t, "", "append", "x", "--type", "T", "--data", "1", db)
		}
		if code := s.wait(); code != exitOK || s.errors() != "" {
			t.Errorf("%s: exit code %d: %s", command, code, s.errors())
		}
	}
	checkClean(t, db, "")
}

func TestStreams(t *testing.T) {
	db := seed(t)
	equal(t, "text", must(t, "", "streams", db), "         2          1  order-1\n         1          0  order-2\n         1          0  return-1\n")
	equal(t, "prefix", must(t, "", "streams", "order", db), "         2          1  order-1\n         1          0  order-2\n")
	equal(t, "JSON", must(t, "", "streams", "return", "-o", "json", db), `{"stream":"return-1","events":1,"lastRevision":0}`+"\n")
	equal(t, "none", must(t, "", "streams", "x", db), "")
}

func TestStat(t *testing.T) {
	db := seed(t)
	last := lines(must(t, "", "read", "--all", "--backward", db))[0][:24]
	want := "store          UUID\nengine         " + strings.TrimPrefix(db, "--db=") +
		"\npartitions     8\ninline limit   1024 bytes\nstreams        3\nevents         4\nlast position  " + last + "\n"
	equal(t, "text", uuids.ReplaceAllString(must(t, "", "stat", db), "UUID"), want)
	equal(t, "JSON", uuids.ReplaceAllString(must(t, "", "stat", "-o", "json", db), "UUID"),
		`{"store":"UUID","engine":"`+strings.TrimPrefix(db, "--db=")+`","partitions":8,"inlineLimit":1024,"streams":3,"events":4,"lastPosition":"`+last+`"}`+"\n")
	if out := must(t, "", "stat", "--db", "mem:"); !strings.HasSuffix(out, "streams        0\nevents         0\nlast position  none\n") {
		t.Errorf("empty store:\n%s", out)
	}
}

func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{"bash": "complete ", "zsh": "compdef ", "fish": "complete -c fdbevents "} {
		if out := must(t, "", "completion", shell); !strings.Contains(out, want) {
			t.Errorf("%s:\n%s", shell, out)
		}
	}
}

// The script runs in a real shell, with this binary as the program.
func TestCompletionInBash(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "fdbevents")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ words, want string }{
		{`fdbevents ""`, "append read tail groups streams delete truncate retain scavenge erase index export import stat check bench completion help"},
		{`fdbevents st`, "streams stat"},
		{`fdbevents groups re`, "replay reset resume"},
		{`fdbevents index create ""`, "type category"},
		{`fdbevents groups --t`, "--to"},
		{`fdbevents read --t`, "--type --tag"},
		{`fdbevents read --all --b`, "--backward"},
	} {
		cmd := programCommand(t)
		bash, err := exec.LookPath("bash")
		if err != nil {
			t.Skip(err)
		}
		cmd.Path, cmd.Args = bash, []string{"bash", "--norc", "-c", fmt.Sprintf(`PATH=%s:$PATH
source <(fdbevents completion bash)
COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _fdbevents; echo "${COMPREPLY[*]}"`, dir, tt.words)}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		equal(t, tt.words, strings.TrimSpace(string(out)), tt.want)
	}
}
