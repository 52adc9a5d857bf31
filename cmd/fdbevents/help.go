package main

import "github.com/urfave/cli/v2"

func (p *program) helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "list all commands, or show help for one",
		UsageText: "fdbevents help [COMMAND]",
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowAppHelp(c)
			}
			if name := c.Args().First(); c.App.Command(name) == nil {
				return usagef(c, "unknown command %q", name)
			}
			return cli.ShowCommandHelp(c, c.Args().First())
		},
	}
}

func helpFlag() cli.Flag {
	return &cli.BoolFlag{Name: "help", DisableDefaultText: true, Aliases: []string{"h"}, Usage: "show help"}
}
