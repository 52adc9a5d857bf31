package main

import (
	"fmt"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

// oneStream returns the STREAM of a command that takes no other argument.
func oneStream(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", usagef(c, "%s takes one STREAM, got %q", c.Command.Name, c.Args().Slice())
	}
	return c.Args().First(), nil
}

// printStream prints a stream as "streams" does.
func (p *program) printStream(c *cli.Context, store *fdblayer.Store, stream string) error {
	info, err := store.Stream(c.Context, stream)
	if err == nil {
		_, err = fmt.Fprintln(p.stdout, streamText(info))
	}
	return err
}
