package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"time"
)

// command is a request of a run to the process of a system, answer the reply. Each is
// a line of JSON.
type command struct {
	// Do is one of list, open, prepare, turn and close.
	Do       string        `json:"do"`
	System   string        `json:"system,omitempty"`
	Dir      string        `json:"dir,omitempty"`
	Workload Workload      `json:"workload,omitzero"`
	Length   time.Duration `json:"length,omitempty"`
	Profile  string        `json:"profile,omitempty"`
}

type answer struct {
	Systems []SystemReport `json:"systems,omitempty"`
	Version string         `json:"version,omitempty"`
	Sample  *Sample        `json:"sample,omitempty"`
	Error   string         `json:"error,omitempty"`
	// Missing and NotOffered say what kind of error it is.
	Missing    bool `json:"missing,omitempty"`
	NotOffered bool `json:"notOffered,omitempty"`
}

// worker carries out commands for one system. Only one goroutine uses it.
type worker struct {
	systems []System
	stage   *stage
}

func (w *worker) do(ctx context.Context, c command) answer {
	a, err := w.carryOut(ctx, c)
	if err != nil {
		a.Error = err.Error()
		a.Missing, a.NotOffered = errors.Is(err, ErrMissing), errors.Is(err, errNotOffered)
	}
	return a
}

func (w *worker) carryOut(ctx context.Context, c command) (a answer, err error) {
	switch c.Do {
	case "list":
		for _, s := range w.systems {
			a.Systems = append(a.Systems, SystemReport{Name: s.Name, Kind: s.Kind, About: s.About, Relaxed: s.Relaxed})
		}
		return a, nil
	case "open":
		for _, s := range w.systems {
			if s.Name != c.System {
				continue
			}
			if w.stage, err = newStage(ctx, s, c.Dir); err != nil {
				return a, err
			}
			a.Version = w.stage.instance.Version()
			return a, nil
		}
		return a, fmt.Errorf("there is no system %q", c.System)
	}
	if w.stage == nil || w.stage.instance == nil {
		return a, fmt.Errorf("%s: no system is open", c.Do)
	}
	switch c.Do {
	case "prepare":
		return a, w.stage.prepare(ctx, c.Workload)
	case "turn":
		a.Sample, err = w.stage.turn(ctx, c.Length, c.Profile)
		return a, err
	case "close":
		return a, w.stage.close()
	}
	return a, fmt.Errorf("unknown command %q", c.Do)
}

// end closes the system if it is still open.
func (w *worker) end() error {
	if w.stage == nil {
		return nil
	}
	return w.stage.close()
}

// workerVariable is set in the environment of the processes that systems run in.
const workerVariable = "FDBEVENTS_BENCH_WORKER"

// IsWorker reports whether this process was started to run a system. Its main
// function then calls only Serve.
func IsWorker() bool { return os.Getenv(workerVariable) != "" }

// Serve carries out the commands of a run in another process until that process ends
// its input, and returns the exit code of this one. Serve owns standard input and
// output.
func Serve(systems []System) int {
	// An interrupt at the terminal reaches both processes; the run decides when this
	// one ends.
	signal.Ignore(os.Interrupt)
	w := &worker{systems: systems}
	err := w.serve(context.Background(), os.Stdin, os.Stdout)
	if err = errors.Join(err, w.end()); err != nil {
		fmt.Fprintln(os.Stderr, "bench worker:", err)
		return 1
	}
	return 0
}

func (w *worker) serve(ctx context.Context, r io.Reader, out io.Writer) error {
	in, e := json.NewDecoder(r), json.NewEncoder(out)
	for {
		var c command
		if err := in.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read a command: %w", err)
		}
		if err := e.Encode(w.do(ctx, c)); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

// Host is where systems can be started.
type Host interface {
	// start makes a place for one system.
	start(ctx context.Context) (seat, error)
}

// seat is where one system is at work.
type seat interface {
	do(ctx context.Context, c command) (answer, error)
	// leave ends what is still running.
	leave() error
}

// Here is a Host whose systems share this process, and thus its costs.
func Here(systems ...System) Host { return here(systems) }

type here []System

func (h here) start(context.Context) (seat, error) { return &localSeat{worker{systems: h}}, nil }

type localSeat struct{ worker worker }

func (s *localSeat) do(ctx context.Context, c command) (answer, error) {
	return s.worker.do(ctx, c), nil
}

func (s *localSeat) leave() error { return s.worker.end() }

// Program is a Host that gives each system its own process. The main function of the
// program must call Serve when IsWorker is true.
func Program(path string, args ...string) Host { return program(append([]string{path}, args...)) }

type program []string

func (p program) start(ctx context.Context) (seat, error) {
	cmd := exec.CommandContext(ctx, p[0], p[1:]...)
	cmd.Env = append(os.Environ(), workerVariable+"=1")
	cmd.Stderr = os.Stderr
	// Closing its input asks a worker to end; if it does not, it is killed.
	cmd.WaitDelay = leaveTime
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	cmd.Cancel = in.Close
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	return &processSeat{cmd: cmd, in: in, encoder: json.NewEncoder(in), decoder: json.NewDecoder(out)}, nil
}

// leaveTime is how long a worker may take to close its system after its run was
// cancelled.
const leaveTime = 20 * time.Second

type processSeat struct {
	cmd     *exec.Cmd
	in      io.Closer
	encoder *json.Encoder
	decoder *json.Decoder
}

func (s *processSeat) do(_ context.Context, c command) (a answer, err error) {
	if err := s.encoder.Encode(c); err != nil {
		return a, fmt.Errorf("ask the worker: %w", err)
	}
	if err := s.decoder.Decode(&a); err != nil {
		return a, fmt.Errorf("the worker does not answer: %w", err)
	}
	return a, nil
}

func (s *processSeat) leave() error {
	err := s.in.Close()
	if waited := s.cmd.Wait(); waited != nil {
		err = fmt.Errorf("worker: %w", waited)
	}
	return err
}

// Absent is a Host of one system that is missing, with the reason.
func Absent(name, reason string) Host {
	return here{{Name: name, Kind: Peer, Open: func(context.Context, string) (Instance, error) {
		return nil, fmt.Errorf("%w: %s", ErrMissing, reason)
	}}}
}
