package main

import (
	_ "embed"
	"io"

	"github.com/urfave/cli/v2"
)

//go:embed completion.bash
var bashCompletion string

//go:embed completion.zsh
var zshCompletion string

func (p *program) completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a shell completion script",
		UsageText: "fdbevents completion bash|zsh|fish",
		Description: "In bash and zsh:  source <(fdbevents completion bash)\n" +
			"In fish:          fdbevents completion fish | source",
		Action: func(c *cli.Context) error {
			var script string
			var err error
			switch shell := c.Args().First(); {
			case c.NArg() != 1:
				return usagef(c, "completion takes one of bash, zsh and fish, got %q", c.Args().Slice())
			case shell == "bash":
				script = bashCompletion
			case shell == "zsh":
				script = zshCompletion
			case shell == "fish":
				script, err = c.App.ToFishCompletion()
			default:
				return usagef(c, "no completion for %q; want bash, zsh or fish", shell)
			}
			if err == nil {
				_, err = io.WriteString(p.stdout, script)
			}
			return err
		},
	}
}
