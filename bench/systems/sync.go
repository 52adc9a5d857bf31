package systems

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// Sync returns what the disk itself can do: writes to the end of one file, each synced
// before the next one begins.
func Sync() harness.System {
	return harness.System{
		Name: "fsync", Kind: harness.Limit,
		About: "a loop of write and fsync on one file, with the bytes of one append at a time",
		Open: func(_ context.Context, dir string) (harness.Instance, error) {
			f, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				return nil, err
			}
			return &synced{file: f}, nil
		},
	}
}

type synced struct {
	mu   sync.Mutex
	file *os.File
	buf  []byte
}

func (s *synced) Version() string { return "" }
func (s *synced) Close() error    { return s.file.Close() }

// ChecksNothing marks the instance as Unchecked: a limit leaves out the checks.
func (s *synced) ChecksNothing() {}

// LosesDataOnClose keeps away workloads that open the data again: nothing can read it.
func (s *synced) LosesDataOnClose() {}

func (s *synced) Append(_ context.Context, stream string, next int64, events []harness.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var k bareKeys
	s.buf = append(s.buf[:0], k.head(stream)...)
	for i, e := range events {
		record := bareRecord(e.Data)
		for _, part := range [][]byte{
			k.entry(stream, next+int64(i)), bareEntryValue(record), k.slot(0, 0), record, k.id(0, stream),
		} {
			s.buf = append(s.buf, part...)
		}
	}
	if _, err := s.file.Write(s.buf); err != nil {
		return err
	}
	return s.file.Sync()
}
