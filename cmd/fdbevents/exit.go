package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/archive"
	"github.com/fdbevents/fdbevents/jsonl"
)

const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitRefused  = 3
	exitNotFound = 4
)

// exits is the one table of exit codes. The help and exitCode are made from it.
var exits = []struct {
	code int
	// meaning is for the help.
	meaning string
	// holds reports whether an error leads to the code; the first row that holds
	// decides. The row without it is for all other errors.
	holds func(error) bool
}{
	{exitOK, "success", func(err error) bool { return err == nil }},
	{exitFailure, "any other failure", nil},
	{exitUsage, "wrong command line", isUsage},
	{exitRefused, "wrong expected revision, failed append condition, or conflicting import", isRefused},
	{exitNotFound, "stream, event or group not found", isNotFound},
}

// exitCode is the exit code for an error.
func exitCode(err error) int {
	for _, e := range exits {
		if e.holds != nil && e.holds(err) {
			return e.code
		}
	}
	return exitFailure
}

// exitHelp says what the codes mean, a line each.
func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:")
	for _, e := range exits {
		fmt.Fprintf(&b, "\n  %d  %s", e.code, e.meaning)
	}
	return b.String()
}

// isUsage holds for what is wrong with the command line. A value that the store finds
// wrong came from there, too, unless it came from the input.
func isUsage(err error) bool {
	var usage *usageError
	var invalid *fdblayer.InvalidError
	var limit *fdblayer.LimitError
	return errors.As(err, &usage) || (errors.As(err, &invalid) || errors.As(err, &limit)) && !fromInput(err)
}

// fromInput holds for what lines of the input or an archive have.
func fromInput(err error) bool {
	var line *jsonl.LineError
	var block *archive.BlockError
	return errors.As(err, &line) || errors.As(err, &block)
}

func isRefused(err error) bool {
	var wrong *fdblayer.WrongExpectedRevisionError
	var condition *fdblayer.ConditionError
	var conflict *fdblayer.RestoreConflictError
	return errors.As(err, &wrong) || errors.As(err, &condition) || errors.As(err, &conflict)
}

func isNotFound(err error) bool {
	return errors.Is(err, fdblayer.ErrStreamNotFound) || errors.Is(err, fdblayer.ErrEventNotFound) || errors.Is(err, fdblayer.ErrGroupNotFound)
}
