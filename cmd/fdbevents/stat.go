package main

import (
	"encoding/json"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

// storeStat is the output of "stat".
type storeStat struct {
	Store        string              `json:"store"`
	Engine       string              `json:"engine"`
	Partitions   int                 `json:"partitions"`
	InlineLimit  int                 `json:"inlineLimit"`
	Streams      int64               `json:"streams"`
	Events       int64               `json:"events"`
	LastPosition *fdbevents.Position `json:"lastPosition,omitempty"`
}

func (p *program) statCommand() *cli.Command {
	return &cli.Command{
		Name:        "stat",
		Usage:       "show the settings and the size of the store",
		UsageText:   "fdbevents stat [options]",
		Description: "Shows the store's id, its settings, and how much it holds. For the totals it\nvisits every stream, but no events.",
		Flags:       []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef(c, "stat takes no arguments, got %q", c.Args().Slice())
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			return p.withStore(c, mustExist, func(store *fdblayer.Store) error {
				stat, err := p.stat(c, store)
				if err != nil {
					return err
				}
				return p.printStat(stat, asJSON)
			})
		},
	}
}

func (p *program) stat(c *cli.Context, store *fdblayer.Store) (storeStat, error) {
	s := store.Stats()
	stat := storeStat{Store: s.StoreID.String(), Engine: s.Engine, Partitions: s.Partitions, InlineLimit: s.InlineLimit}
	counting := newProgress(p.stderr, isTerminal(p.stderr), "counting streams", -1)
	defer counting.finish()
	for info, err := range store.Streams(c.Context, "") {
		if err != nil {
			return stat, stopped(c.Context, err)
		}
		stat.Streams++
		stat.Events += info.Events()
		counting.add(1)
	}
	for ev, err := range store.ReadAll(c.Context, fdbevents.End, fdblayer.ReadOptions{Backward: true, Limit: 1}) {
		if err != nil {
			return stat, stopped(c.Context, err)
		}
		stat.LastPosition = &ev.Position
	}
	return stat, nil
}

func (p *program) printStat(s storeStat, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(s)
	}
	last := "none"
	if s.LastPosition != nil {
		last = s.LastPosition.String()
	}
	_, err := fmt.Fprintf(p.stdout, "store          %s\nengine         %s\npartitions     %d\ninline limit   %d bytes\nstreams        %d\nevents         %d\nlast position  %s\n",
		s.Store, s.Engine, s.Partitions, s.InlineLimit, s.Streams, s.Events, last)
	return err
}
