package archive

import (
	"errors"
	"fmt"
)

// Errors to match with errors.Is.
var (
	// ErrNotArchive: the input does not begin as an archive does.
	ErrNotArchive = errors.New("this is not an archive of events")
	// ErrFormat: a newer version wrote the archive.
	ErrFormat = errors.New("unknown archive format")
	// ErrTorn: the archive ends before its footer.
	ErrTorn = errors.New("the archive is not complete")
	// ErrDamaged: the archive has bytes that were not written so.
	ErrDamaged = errors.New("the archive is damaged")
	// ErrBusy: another export writes the file.
	ErrBusy = errors.New("another export is writing it, or has just finished")
	// ErrOther: an interrupted export cannot go on in a file, because that is of
	// another store or query.
	ErrOther = errors.New("the file is of another export")
)

// BlockError tells where in an archive something is wrong.
type BlockError struct {
	// Block is the number of the frame, the header being 0; Offset is where that
	// begins, in bytes.
	Block, Offset int64
	Err           error
}

func (e *BlockError) Error() string {
	return fmt.Sprintf("block %d at offset %d: %v", e.Block, e.Offset, e.Err)
}

func (e *BlockError) Unwrap() error { return e.Err }

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}
