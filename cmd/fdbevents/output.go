package main

import (
	"errors"
	"io"
	"syscall"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/jsonl"
	"github.com/urfave/cli/v2"
)

func outputFlag() cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "`FORMAT` of the output: text or json"}
}

// wantsJSON reads --output.
func wantsJSON(c *cli.Context) (bool, error) {
	switch form := c.String("output"); form {
	case "text":
		return false, nil
	case "json":
		return true, nil
	default:
		return false, usagef(c, "--output %q: want text or json", form)
	}
}

// eventWriter writes events, one per line, to a buffer that Flush writes out.
type eventWriter interface {
	Write(ev *fdbevents.Event) error
	Flush() error
}

func newEventWriter(w io.Writer, asJSON bool) eventWriter {
	if asJSON {
		return jsonl.NewWriter(w)
	}
	return newTextWriter(w)
}

// printed returns the error of a command that only prints. It drops the error of an output
// that nobody reads any more, as in "read --all | head".
func printed(err error) error {
	if closedPipe(err) {
		return nil
	}
	return err
}

// closedPipe reports whether err means that nobody reads our output any more.
func closedPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
