package main

import (
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/archive"
	"github.com/urfave/cli/v2"
)

const exportDescription = `FILE is compressed, checksummed, and independent of the store's engine; "import" reads
it. It holds all events up to the last one when the export begins; the store can stay
in use. "-" writes to standard output.

The export writes FILE.partial and renames it at the end. If it is interrupted, the
same command resumes it.

Without --query, the file holds whole streams, with everything not yet scavenged, and
their settings; the imported streams behave like the originals. With --query, it holds
the matching events that readers of their streams see, and no settings; imported, they
get new revisions. Checkpoints, projections, consumer groups and an application's own
keys are not exported.`

func (p *program) exportCommand() *cli.Command {
	return &cli.Command{
		Name:        "export",
		Usage:       "export the store, or part of it, to a portable file",
		UsageText:   "fdbevents export FILE [options]\nfdbevents export - [options]",
		Description: exportDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "query", Usage: "only events that match `QUERY`, for example: type=A,B tag=X or tag=Y"},
			&cli.StringFlag{Name: "stream-prefix", Usage: "only streams whose names begin with `PREFIX`"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef(c, "export takes one FILE, got %q", c.Args().Slice())
			}
			filter, err := parseFilter(c)
			if err != nil {
				return err
			}
			name := c.Args().First()
			if name == "-" && isTerminal(p.stdout) {
				return usagef(c, "will not write an archive to a terminal; name a FILE, or redirect the output")
			}
			o := archive.Options{Filter: filter}
			return p.withStore(c, mustExist, func(store *fdblayer.Store) error { return p.export(c, store, name, o) })
		},
	}
}

func (p *program) export(c *cli.Context, store *fdblayer.Store, name string, o archive.Options) error {
	began := time.Now()
	bar := newProgress(p.stderr, isTerminal(p.stderr), "exporting", -1)
	o.Progress = bar.setKnown
	var summary archive.Summary
	var err error
	if name == "-" {
		summary, err = archive.Export(c.Context, store, p.stdout, o)
	} else {
		summary, err = archive.ExportFile(c.Context, store, name, o)
	}
	bar.finish()
	switch {
	case err != nil && c.Context.Err() != nil && name != "-":
		return fmt.Errorf("%w; export again to resume %s%s", stopped(c.Context, err), name, archive.PartialSuffix)
	case err != nil:
		return stopped(c.Context, err)
	}
	took := time.Since(began).Seconds()
	text := fmt.Sprintf("%s exported in %.1f s (%.0f/s), %d bytes", numberOf(summary.Events, "event"), took, float64(summary.Events-summary.Kept)/took, summary.Bytes)
	if summary.Kept > 0 {
		text += fmt.Sprintf("; %d kept from the interrupted export", summary.Kept)
	}
	_, err = fmt.Fprintln(p.stderr, text)
	return err
}
