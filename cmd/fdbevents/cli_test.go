package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/jsonl"
)

// asProgram is an environment variable that makes the test binary act as the program, so
// that tests can kill it.
const asProgram = "FDBEVENTS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		if len(os.Args) == 3 && os.Args[1] == memberCommand {
			if err := member(os.Args[2]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(exitFailure)
			}
			os.Exit(exitOK)
		}
		main()
	}
	// The environment must not influence the tests.
	_ = os.Unsetenv("FDBEVENTS_DB")
	os.Exit(runTests(m))
}

// result is the result of a run of the program.
type result struct {
	code        int
	out, errors string
}

// invoke runs the program in this process.
func invoke(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errors strings.Builder
	code := run(t.Context(), args, strings.NewReader(stdin), &out, &errors)
	return result{code, out.String(), errors.String()}
}

// must is invoke for a command that has to succeed.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := invoke(t, stdin, args...)
	if r.code != exitOK {
		t.Fatalf("%q exits with %d: %s", args, r.code, r.errors)
	}
	return r.out
}

// newDB returns the --db flag of a store that does not exist yet.
func newDB(t *testing.T) string {
	t.Helper()
	return "--db=file:" + filepath.Join(t.TempDir(), "store")
}

// seed creates a store with a few events in three streams.
func seed(t *testing.T) (db string) {
	t.Helper()
	db = newDB(t)
	must(t, `{"stream":"order-1","type":"Placed","tags":["customer:7"],"data":{"items":3},"created":"2026-01-31T12:00:00Z"}
{"stream":"order-2","type":"Placed","tags":["customer:8","vip"],"data":{"items":1},"created":"2026-01-31T12:00:01.5Z"}
{"stream":"order-1","type":"Shipped","tags":["customer:7"],"metadata":{"by":"ann"},"created":"2026-01-31T12:00:02Z"}
{"stream":"return-1","type":"Returned","tags":["customer:8","vip"],"data":"late","created":"2026-01-31T13:00:03+01:00"}
`, "append", "--in-order", db)
	return db
}

var (
	positions = regexp.MustCompile(`\b[0-9a-f]{24}\b`)
	uuids     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
)

// plain replaces positions and ids, which differ from run to run.
func plain(text string) string {
	return uuids.ReplaceAllString(positions.ReplaceAllString(text, "POSITION"), "UUID")
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// appended reads the results that append printed.
func appended(t *testing.T, out string) []fdbevents.AppendResult {
	t.Helper()
	var results []fdbevents.AppendResult
	for _, line := range lines(out) {
		var r fdbevents.AppendResult
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("result %q: %v", line, err)
		}
		results = append(results, r)
	}
	return results
}

// checkClean runs check. Every test that writes ends with it.
func checkClean(t *testing.T, db string, want string) {
	t.Helper()
	out := must(t, "", "check", db)
	if want == "" && strings.HasPrefix(out, "clean: ") {
		return
	}
	equal(t, "check", out, want)
}

// session is a run under way, in this process or in one that can be killed.
type session struct {
	t     *testing.T
	lines *bufio.Scanner
	// stdin feeds its standard input.
	stdin io.WriteCloser
	// stop interrupts it. output is its standard output, to be closed if nobody reads it
	// any more.
	stop   func()
	output io.Closer
	// errors returns its standard error, after it has ended.
	errors func() string
	code   chan int
	kill   func()
	// pid is the id of its process, if it has its own.
	pid int
}

// start runs the program in this process, in the background.
func start(t *testing.T, args ...string) *session {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	in, stdin := io.Pipe()
	out, stdout := io.Pipe()
	var errors strings.Builder
	s := &session{t: t, stdin: stdin, stop: stop, output: out, errors: errors.String, code: make(chan int, 1)}
	s.scan(out)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		code := run(ctx, args, in, stdout, &errors)
		_ = stdout.Close()
		s.code <- code
	}()
	t.Cleanup(func() {
		stop()
		_ = stdin.Close()
		_ = out.Close()
		// The store must be closed before its directory is removed.
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("the program does not end")
		}
	})
	return s
}

// spawn runs the program in a process of its own.
func spawn(t *testing.T, args ...string) *session {
	t.Helper()
	cmd := programCommand(t, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = stderr
	s := &session{t: t, stdin: in, output: out, code: make(chan int, 1), errors: func() string {
		text, err := os.ReadFile(stderr.Name())
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.scan(out)
	s.pid = cmd.Process.Pid
	s.stop = func() { _ = cmd.Process.Signal(syscall.SIGINT) }
	ended := make(chan struct{})
	s.kill = func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	go func() {
		// Do not use cmd.Wait, which would close the pipe before it is read to the end.
		state, _ := cmd.Process.Wait()
		_ = stderr.Close()
		close(ended)
		s.code <- state.ExitCode()
	}()
	t.Cleanup(s.kill)
	return s
}

func programCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	// By default, the race detector makes a process sleep for a second at its end.
	cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0")
	return cmd
}

func (s *session) scan(out io.Reader) {
	s.lines = bufio.NewScanner(out)
	s.lines.Buffer(nil, jsonl.MaxLine)
}

// line waits for a line of output.
func (s *session) line() string {
	s.t.Helper()
	if !s.lines.Scan() {
		s.t.Fatalf("the output ended (%v): exit code %d: %s", s.lines.Err(), <-s.code, s.errors())
	}
	return s.lines.Text()
}

// rest reads the output to its end.
func (s *session) rest() (all []string) {
	for s.lines.Scan() {
		all = append(all, s.lines.Text())
	}
	return all
}

// wait waits for the program to end, and returns its exit code.
func (s *session) wait() int {
	s.t.Helper()
	select {
	case code := <-s.code:
		return code
	case <-time.After(time.Minute):
		s.t.Fatal("the program does not end")
		return 0
	}
}

// feed writes a line of input.
func (s *session) feed(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.stdin, line+"\n"); err != nil {
		s.t.Fatal(err)
	}
}
