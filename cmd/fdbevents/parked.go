package main

import (
	"bufio"
	"errors"
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/jsonl"
	"github.com/urfave/cli/v2"
)

// listParked prints the parked messages of a group, one per line: why each was parked, and
// the event as "read" prints it.
func (p *program) listParked(c *cli.Context, g *groups.Group, asJSON bool) error {
	out := bufio.NewWriterSize(p.stdout, 64<<10)
	format := appendParkedText
	if asJSON {
		format = appendParkedJSON
	}
	err := func() error {
		var line []byte
		for parked, err := range g.Parked(c.Context) {
			if err != nil {
				return stopped(c.Context, err)
			}
			line = format(line[:0], &parked)
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		return nil
	}()
	return printed(errors.Join(err, out.Flush()))
}

func appendParkedText(dst []byte, p *groups.ParkedMessage) []byte {
	dst = fmt.Appendf(dst, "%s attempts=%d reason=%q ", p.Time.Format(time.RFC3339), p.Attempts, p.Reason)
	if p.Event.Stream == "" {
		return fmt.Appendf(dst, "%s erased\n", p.Event.Position)
	}
	return appendEventText(dst, &p.Event)
}

func appendParkedJSON(dst []byte, p *groups.ParkedMessage) []byte {
	dst = fmt.Appendf(dst, `{"attempts":%d,"reason":`, p.Attempts)
	dst = jsonl.AppendString(dst, p.Reason)
	dst = fmt.Appendf(dst, `,"parked":%q,`, p.Time.Format(time.RFC3339Nano))
	if p.Event.Stream == "" {
		return fmt.Appendf(dst, "\"position\":%q,\"erased\":true}\n", p.Event.Position)
	}
	dst = append(dst, `"event":`...)
	dst = jsonl.AppendEvent(dst, &p.Event)
	return append(dst[:len(dst)-1], '}', '\n')
}
