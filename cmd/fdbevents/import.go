package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/archive"
	"github.com/urfave/cli/v2"
)

const importDescription = `FILE was written by "export"; "-" reads standard input. Its events are appended in their
order, with their ids, times, tags and contents. Events that are already in the store are
skipped, so to resume after an interruption, import again.

Whole streams keep their revisions. A stream of the same name that has other events
here is refused and left unchanged. Streams get the settings in the file, including
what is truncated or deleted.

Each block of the file is verified before it is appended. With --verify, the store is
read afterwards and compared with the file.`

func (p *program) importCommand() *cli.Command {
	return &cli.Command{
		Name:        "import",
		Usage:       "append the events of an exported file",
		UsageText:   "fdbevents import FILE [options]\nfdbevents import -",
		Description: importDescription,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "verify", DisableDefaultText: true, Usage: "afterwards, read the store and compare it with FILE"},
		},
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			switch {
			case c.NArg() != 1:
				return usagef(c, "import takes one FILE, got %q", c.Args().Slice())
			case name == "-" && c.Bool("verify"):
				return usagef(c, "--verify reads the archive twice, which standard input does not allow; name a FILE")
			case name == "-":
				return p.withStore(c, mayCreate, func(store *fdblayer.Store) error { return p.importFrom(c, store, p.stdin, -1) })
			}
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			// Refuse anything else before creating a store.
			if _, err := archive.Describe(f); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			info, err := f.Stat()
			if err != nil {
				return err
			}
			return p.withStore(c, mayCreate, func(store *fdblayer.Store) error {
				if _, err := f.Seek(0, io.SeekStart); err != nil {
					return err
				}
				if err := p.importFrom(c, store, f, info.Size()); err != nil || !c.Bool("verify") {
					return err
				}
				if _, err := f.Seek(0, io.SeekStart); err != nil {
					return err
				}
				return p.verify(c, store, f, info.Size())
			})
		},
	}
}

// importFrom imports an archive of size bytes, -1 if unknown.
func (p *program) importFrom(c *cli.Context, store *fdblayer.Store, r io.Reader, size int64) error {
	began := time.Now()
	bar := newProgress(p.stderr, isTerminal(p.stderr), "importing (bytes)", size)
	done, err := archive.Import(c.Context, store, r, archive.ImportOptions{Progress: func(_, bytes int64) { bar.setKnown(bytes, size) }})
	bar.finish()
	if err != nil {
		if c.Context.Err() != nil {
			return fmt.Errorf("%w; %s in the store; import again to resume", stopped(c.Context, err), numberOf(done.Events, "event"))
		}
		return err
	}
	took := time.Since(began).Seconds()
	text := fmt.Sprintf("%s imported in %.1f s (%.0f/s)", numberOf(done.Events, "event"), took, float64(done.Events)/took)
	if done.Repeats > 0 {
		text += fmt.Sprintf("; %d already stored", done.Repeats)
	}
	if done.Renumbered > 0 {
		text += fmt.Sprintf("; new revisions in %s", numberOf(done.Renumbered, "stream"))
	}
	_, err = fmt.Fprintln(p.stderr, text)
	return err
}

func (p *program) verify(c *cli.Context, store *fdblayer.Store, r io.Reader, size int64) error {
	bar := newProgress(p.stderr, isTerminal(p.stderr), "verifying (bytes)", size)
	events, err := archive.Verify(c.Context, store, r, archive.ImportOptions{Progress: func(_, bytes int64) { bar.setKnown(bytes, size) }})
	bar.finish()
	if err != nil {
		return stopped(c.Context, err)
	}
	_, err = fmt.Fprintf(p.stderr, "verified: %s match the archive\n", numberOf(events, "event"))
	return err
}
