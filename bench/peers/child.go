package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
)

const (
	// startup is how long a server may take before it answers.
	startup = time.Minute
	// grace is how long a server may take to end when asked to.
	grace = 15 * time.Second
)

// child is a server that this process has started, and that does not outlive it.
type child struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed when the process is gone
}

// startChild starts the command and appends its output to the log file.
func startChild(cmd *exec.Cmd, log string) (*child, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", cmd.Path, err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	c := &child{cmd: cmd, log: log, ended: make(chan struct{})}
	dieWithParent(cmd)
	started := make(chan error, 1)
	go func() {
		// To the kernel, the parent ends when the thread that started the child ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(c.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return c, nil
}

// await calls the probe until it succeeds.
func (c *child) await(ctx context.Context, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("%s ended: %v; its log ends with:\n%s", c.cmd.Path, c.cmd.ProcessState, c.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w; its log ends with:\n%s", c.cmd.Path, err, c.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tail returns the end of the log.
func (c *child) tail() string {
	f, err := os.Open(c.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	const length = 2000
	if end, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, end-length), io.SeekStart)
	}
	text, _ := io.ReadAll(f)
	return string(text)
}

// stop asks the server to end, and kills it if it does not. A nil child has ended.
func (c *child) stop(ask os.Signal) error {
	if c == nil {
		return nil
	}
	_ = c.cmd.Process.Signal(ask)
	select {
	case <-c.ended:
		return nil
	case <-time.After(grace):
		_ = c.cmd.Process.Kill()
		<-c.ended
		return fmt.Errorf("%s did not end within %v and was killed", c.cmd.Path, grace)
	}
}

// processes returns the ids of the server and of the processes that it has started.
func (c *child) processes() []int {
	ids := []int{c.cmd.Process.Pid}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	children := make(map[int][]int)
	for _, name := range stats {
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if parent, err := parentOf(name); err == nil {
			children[parent] = append(children[parent], id)
		}
	}
	for i := 0; i < len(ids); i++ {
		ids = append(ids, children[ids[i]]...)
	}
	return ids
}

// parentOf reads the parent's id from a process's stat: id (command) state parent. The
// command may contain spaces and parentheses.
func parentOf(stat string) (int, error) {
	text, err := os.ReadFile(stat)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return 0, fmt.Errorf("%s has no parent", stat)
	}
	return strconv.Atoi(fields[1])
}

// find returns the path of a program, from the PATH or from one of the folders.
func find(program, pkg string, folders ...string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, folder := range folders {
		matches, _ := filepath.Glob(filepath.Join(folder, program))
		if len(matches) > 0 {
			return matches[len(matches)-1], nil
		}
	}
	return "", fmt.Errorf("%s is not on the PATH; it is in the package %s: %w", program, pkg, harness.ErrMissing)
}

// freePort returns a port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("look for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// socketFolder makes a directory for sockets. The path of a socket may have only about
// a hundred bytes, too few for many data directories.
func socketFolder() (string, error) {
	folder, err := os.MkdirTemp("", "fdbe")
	if err == nil && len(folder) > 70 {
		err = errors.Join(fmt.Errorf("%s is too long for a socket: set TMPDIR", folder), os.Remove(folder))
	}
	if err != nil {
		return "", fmt.Errorf("make a directory for sockets: %w", err)
	}
	return folder, nil
}
