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
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "`FORM` of the output: text or json"}
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

// eventWriter writes events, a line each. It has a buffer, which Flush empties.
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

// printed is the error of a command that only prints. An output that nobody reads
// any more, as in "read --all | head", is its ordinary end.
func printed(err error) error {
	if closedPipe(err) {
		return nil
	}
	return err
}

// closedPipe reports whether err is that nobody reads our output any more.
func closedPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
