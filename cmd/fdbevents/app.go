package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// program is one run of the command line tool.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr}
	app := p.app()
	err := app.RunContext(ctx, arrange(app, args))
	if err != nil {
		fmt.Fprintf(stderr, "fdbevents: %v\n", err)
	}
	return exitCode(err)
}

func (p *program) app() *cli.App {
	return &cli.App{
		Name:        "fdbevents",
		Usage:       "append to, read and follow an event store",
		Version:     thisEdition().String(),
		Description: exitHelp(),
		Flags: []cli.Flag{
			&cli.StringFlag{
				Name:    "db",
				Usage:   "`URL` of the store: file:DIR, mem: or fdb:CLUSTERFILE?prefix=NAME",
				Value:   "file:fdbevents-data",
				EnvVars: []string{"FDBEVENTS_DB"},
			},
			&cli.BoolFlag{Name: "version", DisableDefaultText: true, Aliases: []string{"v"}, Usage: "print the version"},
			helpFlag(),
		},
		Commands: []*cli.Command{
			p.command(p.appendCommand()),
			p.command(p.readCommand()),
			p.command(p.tailCommand()),
			p.command(p.groupsCommand()),
			p.command(p.streamsCommand()),
			p.command(p.deleteCommand()),
			p.command(p.truncateCommand()),
			p.command(p.retainCommand()),
			p.command(p.scavengeCommand()),
			p.command(p.eraseCommand()),
			p.command(p.indexCommand()),
			p.command(p.exportCommand()),
			p.command(p.importCommand()),
			p.command(p.statCommand()),
			p.command(p.checkCommand()),
			p.command(p.benchCommand()),
			p.command(p.completionCommand()),
			p.command(p.helpCommand()),
		},
		Action:         p.noCommand,
		OnUsageError:   onUsageError,
		ExitErrHandler: func(*cli.Context, error) {}, // run chooses the exit code
		// The library keeps its own help and version flags in global variables, which two
		// runs in one process would share.
		HideHelp:    true,
		HideVersion: true,
		// A tag may contain a comma.
		DisableSliceFlagSeparator: true,
		EnableBashCompletion:      true,
		Writer:                    p.stdout,
		ErrWriter:                 p.stderr,
	}
}

// command adds what all commands share.
func (p *program) command(c *cli.Command) *cli.Command {
	c.Flags = append(c.Flags, helpFlag())
	c.OnUsageError = onUsageError
	c.HideHelp = true
	c.CustomHelpTemplate = cli.CommandHelpTemplate + `
GLOBAL OPTIONS:
   --db URL  URL of the store: file:DIR, mem: or fdb:CLUSTERFILE?prefix=NAME (default: "file:fdbevents-data") [$FDBEVENTS_DB]
`
	return c
}

// noCommand handles a command line without a known command.
func (p *program) noCommand(c *cli.Context) error {
	switch {
	case c.Bool("version"):
		cli.ShowVersion(c)
		return nil
	case c.Args().Present():
		return usagef(c, "unknown command %q", c.Args().First())
	}
	return cli.ShowAppHelp(c)
}
