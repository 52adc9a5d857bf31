package archive

import (
	"errors"
	"fmt"
)

// Errors to match with errors.Is.
var (
	// ErrNotArchive: the input does not begin like an archive.
	ErrNotArchive = errors.New("not an archive of events")
	// ErrFormat: a newer fdbevents wrote the archive.
	ErrFormat = errors.New("unknown archive format")
	// ErrTorn: the archive ends before its footer.
	ErrTorn = errors.New("the archive is incomplete")
	// ErrDamaged: the archive is not as it was written.
	ErrDamaged = errors.New("the archive is damaged")
	// ErrBusy: another export is writing the file.
	ErrBusy = errors.New("another export is writing it, or has just finished it")
	// ErrOther: an interrupted export cannot be resumed, because the partial file is of
	// another store or another selection.
	ErrOther = errors.New("the file belongs to another export")
)

// BlockError is an error at a known place in an archive.
type BlockError struct {
	// Block is the number of the frame, counted from the header, which is 0. Offset is
	// where the frame begins, in bytes.
	Block, Offset int64
	// Err is what is wrong with the frame.
	Err error
}

func (e *BlockError) Error() string {
	return fmt.Sprintf("block %d at offset %d: %v", e.Block, e.Offset, e.Err)
}

func (e *BlockError) Unwrap() error { return e.Err }

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}
