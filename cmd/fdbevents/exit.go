package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/jsonl"
	"github.com/urfave/cli/v2"
)

const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitRefused  = 3
	exitNotFound = 4
)

// usageError is a command line that is wrong.
type usageError struct {
	// command is the one whose help tells more.
	command string
	text    string
}

func (e *usageError) Error() string {
	return fmt.Sprintf("%s\nSee: %s --help", e.text, e.command)
}

func usagef(c *cli.Context, format string, args ...any) error {
	command := "fdbevents"
	if c.Command.Name != c.App.Name {
		command += " " + c.Command.Name
	}
	return &usageError{command, fmt.Sprintf(format, args...)}
}

// onUsageError is called with what the flag parser found.
func onUsageError(c *cli.Context, err error, _ bool) error { return usagef(c, "%v", err) }

// exitCode is the exit code for an error.
func exitCode(err error) int {
	var (
		usage     *usageError
		wrong     *fdbevents.WrongExpectedRevisionError
		condition *fdbevents.ConditionError
		line      *jsonl.LineError
		invalid   *fdbevents.InvalidError
		limit     *fdbevents.LimitError
		conflict  *fdblayer.RestoreConflictError
	)
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &wrong), errors.As(err, &condition), errors.As(err, &conflict):
		return exitRefused
	case errors.Is(err, fdbevents.ErrStreamNotFound), errors.Is(err, fdbevents.ErrEventNotFound), errors.Is(err, fdbevents.ErrGroupNotFound):
		return exitNotFound
	case errors.As(err, &line), fromArchive(err):
		return exitFailure
	case errors.As(err, &invalid), errors.As(err, &limit):
		// Not in the input, so the value came from the command line.
		return exitUsage
	}
	return exitFailure
}

// closedPipe reports whether err is that nobody reads our output any more. For a
// command that only prints, this is an ordinary end.
func closedPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
