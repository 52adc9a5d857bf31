package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

// indexActions are what "index" can do, its first argument.
var indexActions = []string{"list", "create", "drop"}

func (p *program) indexCommand() *cli.Command {
	return &cli.Command{
		Name:  "index",
		Usage: "list, create and drop indexes of event types and stream categories",
		UsageText: "fdbevents index list\n" +
			"fdbevents index create type|category\n" +
			"fdbevents index drop type|category",
		Description: "An index of types makes queries and conditions with types, but without tags, as fast\n" +
			"as those with tags; one of categories does that for --stream-prefix NAME-, where the\n" +
			"category of a stream is its name up to the first '-'. Both make each append a little\n" +
			"larger. An index is built while others go on writing, and used when it is complete.\n" +
			"After an interruption, create goes on where it was.",
		BashComplete: func(c *cli.Context) {
			cli.DefaultCompleteWithFlags(c.Command)(c)
			switch c.NArg() {
			case 0:
				fmt.Fprintln(p.stdout, strings.Join(indexActions, "\n"))
			case 1:
				fmt.Fprintln(p.stdout, fdbevents.IndexType+"\n"+fdbevents.IndexCategory)
			}
		},
		Action: p.index,
	}
}

func (p *program) index(c *cli.Context) error {
	action, args := c.Args().First(), c.Args().Tail()
	switch {
	case action == "":
		return usagef(c, "index needs to know what to do: %s", strings.Join(indexActions, ", "))
	case !slices.Contains(indexActions, action):
		return usagef(c, "index cannot %q; it can %s", action, strings.Join(indexActions, ", "))
	case action == "list" && len(args) > 0:
		return usagef(c, "index list takes no arguments, got %q", args)
	case action != "list" && len(args) != 1:
		return usagef(c, "index %s takes one of type and category, got %q", action, args)
	}
	a := mustExist
	if action == "create" {
		a = mayCreate
	}
	return p.withStore(c, a, func(store *fdblayer.Store) error {
		switch action {
		case "create":
			building := newProgress(p.stderr, isTerminal(p.stderr), "indexing", -1)
			err := store.CreateIndex(c.Context, args[0], building.set)
			building.finish()
			if err != nil {
				return stopped(c.Context, err)
			}
		case "drop":
			if err := store.DropIndex(c.Context, args[0]); err != nil {
				return stopped(c.Context, err)
			}
		}
		indexes, err := store.Indexes(c.Context)
		if err != nil {
			return err
		}
		for _, index := range indexes {
			state := "ready"
			if !index.Ready {
				state = "being built"
			}
			if _, err := fmt.Fprintf(p.stdout, "%s: %s\n", index.Name, state); err != nil {
				return err
			}
		}
		return nil
	})
}
