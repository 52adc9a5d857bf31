// Package fdbtest gives tests a FoundationDB to run on: the cluster named by the
// environment variable FDB_CLUSTER_FILE, or one of a single process that is
// started for the test binary and deleted after it.
//
// The package only runs processes, and needs neither cgo nor a build tag; the
// part that opens engines is compiled with the tag fdb.
package fdbtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrNoServer means that fdbserver or fdbcli is not on the PATH.
var ErrNoServer = errors.New("fdbserver or fdbcli is not on the PATH")

// Server is a FoundationDB cluster of one process on the loopback interface,
// with its data in a temporary directory.
type Server struct {
	dir     string
	address string
	process *exec.Cmd
	output  *bytes.Buffer // of the process; to be read after exited is closed
	exited  chan struct{}
}

// Start runs a cluster and returns when it is healthy. If ctx ends first, it
// stops the cluster again. The server also ends when this process does.
func Start(ctx context.Context) (*Server, error) {
	for _, program := range []string{"fdbserver", "fdbcli"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, ErrNoServer
		}
	}
	dir, err := os.MkdirTemp("", "fdbtest")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	err = s.create(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start FoundationDB: %w", err), s.Stop())
	}
	return s, nil
}

// create makes a new database and waits for it.
func (s *Server) create(ctx context.Context) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	s.address = fmt.Sprintf("127.0.0.1:%d", port)
	cluster := fmt.Sprintf("test:%s@%s\n", strings.ToLower(rand.Text()), s.address)
	if err := os.Mkdir(s.logs(), 0o700); err != nil { // without the directory the server is not healthy
		return err
	}
	if err := os.WriteFile(s.ClusterFile(), []byte(cluster), 0o600); err != nil {
		return err
	}
	if err := s.launch(); err != nil {
		return err
	}
	if err := s.until(ctx, "configure new single ssd", "Database created"); err != nil {
		return err
	}
	return s.healthy(ctx)
}

// freePort returns a port of the loopback interface on which nobody listens now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// ClusterFile returns the path of the cluster file.
func (s *Server) ClusterFile() string { return filepath.Join(s.dir, "fdb.cluster") }

// Dir returns the directory that holds all of the cluster's files.
func (s *Server) Dir() string { return s.dir }

// PID returns the server's process id.
func (s *Server) PID() int { return s.process.Process.Pid }

func (s *Server) logs() string { return filepath.Join(s.dir, "log") }

// launch runs the server process.
func (s *Server) launch() error {
	output := &bytes.Buffer{}
	process := exec.Command("fdbserver",
		"--public-address", s.address,
		"--cluster-file", s.ClusterFile(),
		"--datadir", filepath.Join(s.dir, "data"),
		"--logdir", s.logs(),
		"--parentpid", fmt.Sprint(os.Getpid()),
		// Otherwise the first recovery waits for processes that might still join.
		"--knob_initial_failure_reaction_delay=1",
	)
	process.Stdout, process.Stderr = output, output
	process.Dir = s.dir
	if err := process.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = process.Wait() // the output says more
	}()
	s.process, s.output, s.exited = process, output, exited
	return nil
}

// healthy waits until the database is fully available.
func (s *Server) healthy(ctx context.Context) error {
	return s.until(ctx, "status minimal", "The database is available.")
}

// until repeats an fdbcli command until it prints want.
func (s *Server) until(ctx context.Context, command, want string) error {
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		said, _ := exec.CommandContext(ctx, "fdbcli",
			"-C", s.ClusterFile(), "--exec", command, "--timeout", "10").CombinedOutput()
		if strings.Contains(string(said), want) {
			return nil
		}
		select {
		case <-look.C:
		case <-s.exited:
			return fmt.Errorf("fdbserver has ended: %s", bytes.TrimSpace(s.output.Bytes()))
		case <-ctx.Done():
			return fmt.Errorf("%w; the answer of fdbcli to %q: %s", ctx.Err(), command, bytes.TrimSpace(said))
		}
	}
}

// Restart kills the server process as kill -9 does, starts it again on the same
// data, and returns when the database is healthy.
func (s *Server) Restart(ctx context.Context) error {
	s.kill()
	if err := s.launch(); err != nil {
		return err
	}
	return s.healthy(ctx)
}

// kill ends the server process and waits for its end.
func (s *Server) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill() // may have ended already
		<-s.exited
	}
}

// Stop ends the server and removes its data.
func (s *Server) Stop() error {
	s.kill()
	return os.RemoveAll(s.dir)
}
