package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

func (p *program) streamsCommand() *cli.Command {
	return &cli.Command{
		Name:        "streams",
		Usage:       "list streams",
		UsageText:   "fdbevents streams [PREFIX] [options]",
		Description: "Lists the streams whose names begin with PREFIX, or all streams, ordered by name.\nEach line has the number of events, the last revision, and the name.",
		Flags:       []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return usagef(c, "streams takes one PREFIX, got %q", c.Args().Slice())
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			format := streamText
			if asJSON {
				format = streamJSON
			}
			return p.withStore(c, mustExist, func(store *fdblayer.Store) error {
				return p.listStreams(c, store, format)
			})
		},
	}
}

func (p *program) listStreams(c *cli.Context, store *fdblayer.Store, format func(fdblayer.StreamInfo) string) error {
	out := bufio.NewWriterSize(p.stdout, 64<<10)
	err := func() error {
		for info, err := range store.Streams(c.Context, c.Args().First()) {
			if err != nil {
				return stopped(c.Context, err)
			}
			if _, err := fmt.Fprintln(out, format(info)); err != nil {
				return err
			}
		}
		return nil
	}()
	return printed(errors.Join(err, out.Flush()))
}

func streamText(s fdblayer.StreamInfo) string {
	text := fmt.Sprintf("%10d %10d  %s", s.Events(), s.LastRevision, s.Stream)
	switch {
	case s.Deleted:
		text += " (deleted)"
	case s.Tombstoned:
		text += " (deleted permanently)"
	}
	if s.Retention.MaxCount > 0 {
		text += fmt.Sprintf(" (max count %d)", s.Retention.MaxCount)
	}
	if s.Retention.MaxAge > 0 {
		text += fmt.Sprintf(" (max age %s)", s.Retention.MaxAge)
	}
	return text
}

func streamJSON(s fdblayer.StreamInfo) string {
	text, err := json.Marshal(struct {
		Stream         string  `json:"stream"`
		Events         int64   `json:"events"`
		LastRevision   int64   `json:"lastRevision"`
		TruncateBefore int64   `json:"truncateBefore,omitempty"`
		MaxAgeSeconds  float64 `json:"maxAgeSeconds,omitempty"`
		MaxCount       int64   `json:"maxCount,omitempty"`
		Deleted        bool    `json:"deleted,omitempty"`
		Tombstoned     bool    `json:"tombstoned,omitempty"`
	}{s.Stream, s.Events(), s.LastRevision, s.TruncateBefore, s.Retention.MaxAge.Seconds(), s.Retention.MaxCount, s.Deleted, s.Tombstoned})
	if err != nil {
		panic(err) // strings and numbers cannot fail
	}
	return string(text)
}
