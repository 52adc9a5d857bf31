package main

import (
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/urfave/cli/v2"
)

// usageError is a wrong command line.
type usageError struct {
	// command is the command whose help to read.
	command string
	text    string
}

func (e *usageError) Error() string {
	return fmt.Sprintf("%s\nSee '%s --help'.", e.text, e.command)
}

// Kind returns fdbevents.Invalid.
func (e *usageError) Kind() fdbevents.Kind { return fdbevents.Invalid }

func usagef(c *cli.Context, format string, args ...any) error {
	command := "fdbevents"
	if c.Command.Name != c.App.Name {
		command += " " + c.Command.Name
	}
	return &usageError{command, fmt.Sprintf(format, args...)}
}

// onUsageError turns an error of the flag parser into a usage error.
func onUsageError(c *cli.Context, err error, _ bool) error { return usagef(c, "%v", err) }
