package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/google/uuid"
	"github.com/urfave/cli/v2"
)

// groupActions are the possible first arguments of "groups".
var groupActions = []string{"list", "show", "parked", "replay", "reset", "pause", "resume", "delete"}

func (p *program) groupsCommand() *cli.Command {
	return &cli.Command{
		Name:  "groups",
		Usage: "list, show and change consumer groups",
		UsageText: "fdbevents groups list [options]\n" +
			"fdbevents groups show|parked|replay|pause|resume|delete NAME [options]\n" +
			"fdbevents groups reset NAME --to POSITION|start|end",
		Description: "list    list all groups: members, unsettled events (lag), parked messages, name\n" +
			"show    show a group, and which member has which partition\n" +
			"parked  list parked messages: when they were parked, attempts, reason, and the event\n" +
			"replay  deliver the parked messages again\n" +
			"reset   continue after a position; messages settled after it are delivered again\n" +
			"pause   deliver nothing until resume\n" +
			"resume  deliver again after pause\n" +
			"delete  delete the group and its parked messages; the events stay\n\n" +
			"To create or join a group: fdbevents tail --all --group NAME",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "with reset: continue after `POSITION`, or start, or end"},
			outputFlag(),
		},
		BashComplete: func(c *cli.Context) {
			cli.DefaultCompleteWithFlags(c.Command)(c)
			if c.NArg() == 0 {
				fmt.Fprintln(p.stdout, strings.Join(groupActions, "\n"))
			}
		},
		Action: p.groups,
	}
}

func (p *program) groups(c *cli.Context) error {
	action, args := c.Args().First(), c.Args().Tail()
	asJSON, err := wantsJSON(c)
	switch {
	case err != nil:
		return err
	case action == "":
		return usagef(c, "groups needs an action: %s", strings.Join(groupActions, ", "))
	case !slices.Contains(groupActions, action):
		return usagef(c, "groups has no action %q; want one of %s", action, strings.Join(groupActions, ", "))
	case action == "list" && len(args) > 0:
		return usagef(c, "groups list takes no arguments, got %q", args)
	case action != "list" && len(args) != 1:
		return usagef(c, "groups %s takes one NAME, got %q", action, args)
	case c.IsSet("to") != (action == "reset"):
		if action == "reset" {
			return usagef(c, "groups reset needs --to: start, end or a position")
		}
		return usagef(c, "--to is only for groups reset")
	}
	to := fdbevents.Start
	if action == "reset" {
		if to, err = parsePosition(c.String("to")); err != nil {
			return usagef(c, "--to %v", err)
		}
	}
	return p.withStore(c, mustExist, func(store *fdblayer.Store) error {
		if action == "list" {
			return p.listGroups(c, store, asJSON)
		}
		g, err := groups.Lookup(c.Context, store, args[0])
		if err != nil {
			return stopped(c.Context, err)
		}
		switch action {
		case "show":
			return p.showGroup(c, g, asJSON)
		case "parked":
			return p.listParked(c, g, asJSON)
		case "replay":
			return p.replayGroup(c, g, asJSON)
		case "reset":
			err = g.Reset(c.Context, to)
		case "pause":
			err = g.Pause(c.Context)
		case "resume":
			err = g.Resume(c.Context)
		case "delete":
			err = g.Delete(c.Context)
		}
		return stopped(c.Context, err)
	})
}

func (p *program) listGroups(c *cli.Context, store *fdblayer.Store, asJSON bool) error {
	out := bufio.NewWriterSize(p.stdout, 64<<10)
	err := func() error {
		for info, err := range groups.List(c.Context, store) {
			if err != nil {
				return stopped(c.Context, err)
			}
			if asJSON {
				err = json.NewEncoder(out).Encode(newGroupStat(info))
			} else {
				_, err = fmt.Fprintf(out, "%10d %10s %10s  %s%s\n", len(info.Members), info.Lag(), info.Parked(), info.Name, pausedText(info))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}()
	return printed(errors.Join(err, out.Flush()))
}

func pausedText(i groups.Info) string {
	if i.Paused {
		return " (paused)"
	}
	return ""
}

func (p *program) showGroup(c *cli.Context, g *groups.Group, asJSON bool) error {
	info, err := g.Info(c.Context)
	if err != nil {
		return stopped(c.Context, err)
	}
	if asJSON {
		return printed(json.NewEncoder(p.stdout).Encode(newGroupStat(info)))
	}
	return printed(printGroup(p.stdout, info))
}

func printGroup(w io.Writer, i groups.Info) error {
	o := i.Options
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-18s%s\n", name, fmt.Sprintf(format, args...))
	}
	line("group", "%s%s", i.Name, pausedText(i))
	for _, prefix := range o.Filter.StreamPrefixes {
		line("stream prefix", "%s", prefix)
	}
	for _, it := range o.Filter.Query.Items {
		line("events", "types %q, tags %q", it.Types, it.Tags)
	}
	line("message timeout", "%v", o.MessageTimeout)
	line("retries", "%d", max(o.MaxRetries, 0))
	line("lease time", "%v", o.LeaseTime)
	line("members", "%d", len(i.Members))
	line("lag", "%v", i.Lag())
	line("parked", "%v", i.Parked())
	b.WriteString("\npartition  checkpoint                     lag     parked  owner\n")
	for n, p := range i.Partitions {
		owner := p.Owner.String()
		if p.Owner == uuid.Nil {
			owner = "none"
		}
		fmt.Fprintf(&b, "%9d  %s %10s %10s  %s\n", n, p.Checkpoint, p.Lag, p.Parked, owner)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// groupStat is a group in JSON.
type groupStat struct {
	Name           string                `json:"name"`
	Paused         bool                  `json:"paused"`
	StreamPrefix   string                `json:"streamPrefix,omitempty"`
	Query          []fdbevents.QueryItem `json:"query,omitempty"`
	MessageTimeout float64               `json:"messageTimeoutSeconds"`
	MaxRetries     int                   `json:"maxRetries"`
	LeaseTime      float64               `json:"leaseTimeSeconds"`
	Members        []uuid.UUID           `json:"members"`
	Lag            int64                 `json:"lag"`
	LagMore        bool                  `json:"lagMore,omitempty"`
	Parked         int64                 `json:"parked"`
	Partitions     []groupPartitionStat  `json:"partitions"`
}

type groupPartitionStat struct {
	Partition  int                `json:"partition"`
	Owner      *uuid.UUID         `json:"owner,omitempty"`
	Epoch      int64              `json:"epoch"`
	Checkpoint fdbevents.Position `json:"checkpoint"`
	Lag        int64              `json:"lag"`
	LagMore    bool               `json:"lagMore,omitempty"`
	Ahead      int                `json:"ahead"`
	Retrying   int                `json:"retrying"`
	Parked     int64              `json:"parked"`
	Replaying  int64              `json:"replaying"`
}

func newGroupStat(i groups.Info) groupStat {
	o := i.Options
	s := groupStat{
		Name: i.Name, Paused: i.Paused, StreamPrefix: strings.Join(o.Filter.StreamPrefixes, ","), Query: o.Filter.Query.Items,
		MessageTimeout: o.MessageTimeout.Seconds(), MaxRetries: max(o.MaxRetries, 0), LeaseTime: o.LeaseTime.Seconds(),
		Members: append([]uuid.UUID{}, i.Members...), Lag: i.Lag().N, LagMore: i.Lag().More, Parked: i.Parked().N,
	}
	for n, p := range i.Partitions {
		x := groupPartitionStat{
			Partition: n, Epoch: p.Epoch, Checkpoint: p.Checkpoint, Lag: p.Lag.N, LagMore: p.Lag.More,
			Ahead: p.Ahead, Retrying: p.Retrying, Parked: p.Parked.N, Replaying: p.Replaying.N,
		}
		if p.Owner != uuid.Nil {
			x.Owner = &p.Owner
		}
		s.Partitions = append(s.Partitions, x)
	}
	return s
}

func (p *program) replayGroup(c *cli.Context, g *groups.Group, asJSON bool) error {
	n, err := g.Replay(c.Context)
	if err != nil {
		return stopped(c.Context, err)
	}
	if asJSON {
		_, err = fmt.Fprintf(p.stdout, "{\"replayed\":%d}\n", n)
	} else {
		_, err = fmt.Fprintf(p.stdout, "%s queued for replay\n", numberOf(int64(n), "message"))
	}
	return printed(err)
}
