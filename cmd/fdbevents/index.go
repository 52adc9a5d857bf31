package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

// indexActions are the possible first arguments of "index".
var indexActions = []string{"list", "create", "drop"}

func (p *program) indexCommand() *cli.Command {
	return &cli.Command{
		Name:  "index",
		Usage: "list, create and drop indexes on event types and stream categories",
		UsageText: "fdbevents index list\n" +
			"fdbevents index create type|category\n" +
			"fdbevents index drop type|category",
		Description: "A type index makes queries and conditions with types but no tags as fast as those\n" +
			"with tags. A category index does the same for --stream-prefix NAME-, where the category\n" +
			"of a stream is its name up to the first '-'. Each makes every append a little larger.\n" +
			"An index is built while others append, and used once it is complete. To resume after\n" +
			"an interruption, create it again.",
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
		return usagef(c, "index needs an action: %s", strings.Join(indexActions, ", "))
	case !slices.Contains(indexActions, action):
		return usagef(c, "index has no action %q; want one of %s", action, strings.Join(indexActions, ", "))
	case action == "list" && len(args) > 0:
		return usagef(c, "index list takes no arguments, got %q", args)
	case action != "list" && len(args) != 1:
		return usagef(c, "index %s takes type or category, got %q", action, args)
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
				state = "building"
			}
			if _, err := fmt.Fprintf(p.stdout, "%s: %s\n", index.Name, state); err != nil {
				return err
			}
		}
		return nil
	})
}
