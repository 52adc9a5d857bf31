package main

import (
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/archive"
	"github.com/urfave/cli/v2"
)

const exportDescription = `FILE is compressed, checksummed, and independent of the store's engine; "import" reads
it. It has all events up to the last one there is when the export begins; others may
go on writing. With "-" it goes to the standard output.

It is written as FILE.partial, and renamed at the end. When it is interrupted, the same
command goes on where it was.

Without --query it has whole streams, with all that is not scavenged, and their
settings; imported, they behave alike. With --query it has those of the events that
readers of their streams see, and no settings; imported, they get new revisions.
Checkpoints, projections, consumer groups and an application's own keys are not in it.`

func (p *program) exportCommand() *cli.Command {
	return &cli.Command{
		Name:        "export",
		Usage:       "write the store, or a part of it, into a portable file",
		UsageText:   "fdbevents export FILE [options]\nfdbevents export - [options]",
		Description: exportDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "query", Usage: "only what `QUERY` selects, for example: type=A,B tag=X or tag=Y"},
			&cli.StringFlag{Name: "stream-prefix", Usage: "only streams whose name begins with `PREFIX`"},
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
				return usagef(c, "an archive is not for a terminal; name a FILE, or send the output elsewhere")
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
		return fmt.Errorf("%w; export again to go on with %s%s", stopped(c.Context, err), name, archive.PartialSuffix)
	case err != nil:
		return stopped(c.Context, err)
	}
	took := time.Since(began).Seconds()
	text := fmt.Sprintf("%s exported in %.1f s (%.0f/s), in %d bytes", numberOf(summary.Events, "event"), took, float64(summary.Events-summary.Kept)/took, summary.Bytes)
	if summary.Kept > 0 {
		text += fmt.Sprintf("; %d had been exported before", summary.Kept)
	}
	_, err = fmt.Fprintln(p.stderr, text)
	return err
}
