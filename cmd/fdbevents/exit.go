package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fdbevents/fdbevents"
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

// exits is the table of exit codes, used by the help and by exitCode.
var exits = []struct {
	code int
	// meaning is the text of the help.
	meaning string
	// kinds are the kinds of error that lead to the code. The row without kinds stands
	// for all others.
	kinds []fdbevents.Kind
}{
	{exitOK, "success", []fdbevents.Kind{fdbevents.OK}},
	{exitFailure, "any other failure", nil},
	{exitUsage, "usage error", []fdbevents.Kind{fdbevents.Invalid, fdbevents.TooLarge}},
	{exitRefused, "wrong expected revision, failed append condition, or another conflict", []fdbevents.Kind{fdbevents.Conflict}},
	{exitNotFound, "stream, event, group or projection not found, deleted or truncated", []fdbevents.Kind{fdbevents.NotFound, fdbevents.Gone}},
}

// exitCode returns the exit code for an error.
func exitCode(err error) int {
	kind := fdbevents.KindOf(err)
	for _, e := range exits {
		if slices.Contains(e.kinds, kind) && (e.code != exitUsage || !fromInput(err)) {
			return e.code
		}
	}
	return exitFailure
}

// fromInput reports whether lines of the input, or an archive, are to blame for err.
// Otherwise, a value that the store finds invalid came from the command line.
func fromInput(err error) bool {
	var line *jsonl.LineError
	var block *archive.BlockError
	return errors.As(err, &line) || errors.As(err, &block)
}

// exitHelp lists the exit codes and their meanings.
func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:")
	for _, e := range exits {
		fmt.Fprintf(&b, "\n  %d  %s", e.code, e.meaning)
	}
	return b.String()
}
