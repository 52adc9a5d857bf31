package tuple

import (
	"encoding/binary"
	"fmt"
	"math/big"
)

// Tuple is a list of elements; the package comment lists their types.
type Tuple []any

// MaxDepth bounds how deep tuples are nested, so that neither malicious input nor
// a tuple that contains itself can exhaust the stack. The other bindings set no
// bound, but Python's recursion limit of 1000 has much the same effect.
const MaxDepth = 1000

// Pack encodes t. It fails with ErrUnsupported, ErrTooLarge, ErrIncomplete or
// ErrTooDeep. The empty tuple packs to no bytes.
func (t Tuple) Pack() ([]byte, error) {
	return t.Append(nil)
}

// Append appends the encoding of t to dst. It fails as Pack does, and then
// returns dst unchanged; only its spare capacity may have been overwritten.
func (t Tuple) Append(dst []byte) ([]byte, error) {
	p := packer{buf: dst}
	if err := p.tuple(t); err != nil {
		return dst, err
	}
	if p.incomplete > 0 {
		return dst, fmt.Errorf("tuple: %w", ErrIncomplete)
	}
	return p.buf, nil
}

// PackWithVersionstamp returns a key for the operation that sets a versionstamped
// key: prefix, the encoding of t, and the offset at which the database writes the
// transaction version, counted from the start of prefix, as 4 bytes,
// little-endian. The database removes the offset before it stores the key.
//
// t must have exactly one incomplete versionstamp, at any depth; otherwise the
// error is ErrNotOneIncomplete. It can also fail as Pack does. The prefix is
// copied.
func (t Tuple) PackWithVersionstamp(prefix []byte) ([]byte, error) {
	p := packer{buf: append([]byte(nil), prefix...)}
	if err := p.tuple(t); err != nil {
		return nil, err
	}
	if p.incomplete != 1 {
		return nil, fmt.Errorf("tuple: %w, found %d", ErrNotOneIncomplete, p.incomplete)
	}
	// Keys are far shorter than 4 GiB.
	return binary.LittleEndian.AppendUint32(p.buf, uint32(p.stamp)), nil
}

// Unpack decodes the output of Pack. The tuple shares no memory with b. An error
// is a [*DecodeError].
func Unpack(b []byte) (Tuple, error) {
	t := Tuple{}
	for rest := b; len(rest) > 0; {
		v, next, err := Read(rest)
		if err != nil {
			return nil, shifted(err, len(b)-len(rest))
		}
		t = append(t, v)
		rest = next
	}
	return t, nil
}

// packer encodes a tuple and tracks its incomplete versionstamps.
type packer struct {
	buf        []byte
	incomplete int // how many
	stamp      int // offset in buf of the transaction version of the last one
}

func (p *packer) tuple(t Tuple) error {
	for i, v := range t {
		if err := p.element(v, 0); err != nil {
			return fmt.Errorf("tuple: element %d: %w", i, err)
		}
	}
	return nil
}

// element encodes v, which lies inside depth nested tuples.
func (p *packer) element(v any, depth int) error {
	var err error
	switch v := v.(type) {
	case nil:
		p.buf = AppendNil(p.buf)
		if depth > 0 {
			p.buf = append(p.buf, escape)
		}
	case []byte:
		p.buf = AppendBytes(p.buf, v)
	case string:
		p.buf = AppendString(p.buf, v)
	case Tuple:
		return p.nested(v, depth)
	case int:
		p.buf = AppendInt(p.buf, int64(v))
	case int8:
		p.buf = AppendInt(p.buf, int64(v))
	case int16:
		p.buf = AppendInt(p.buf, int64(v))
	case int32:
		p.buf = AppendInt(p.buf, int64(v))
	case int64:
		p.buf = AppendInt(p.buf, v)
	case uint:
		p.buf = AppendUint(p.buf, uint64(v))
	case uint8:
		p.buf = AppendUint(p.buf, uint64(v))
	case uint16:
		p.buf = AppendUint(p.buf, uint64(v))
	case uint32:
		p.buf = AppendUint(p.buf, uint64(v))
	case uint64:
		p.buf = AppendUint(p.buf, v)
	case *big.Int:
		p.buf, err = AppendBigInt(p.buf, v)
	case float32:
		p.buf = AppendFloat32(p.buf, v)
	case float64:
		p.buf = AppendFloat64(p.buf, v)
	case bool:
		p.buf = AppendBool(p.buf, v)
	case UUID:
		p.buf = AppendUUID(p.buf, v)
	case Versionstamp:
		if !v.Complete() {
			p.incomplete++
			p.stamp = len(p.buf) + 1 // after the type code
		}
		p.buf = AppendVersionstamp(p.buf, v)
	default:
		err = fmt.Errorf("%w: type %T", ErrUnsupported, v)
	}
	return err
}

// nested encodes t as an element that lies inside depth other tuples.
func (p *packer) nested(t Tuple, depth int) error {
	if depth >= MaxDepth {
		return ErrTooDeep
	}
	p.buf = append(p.buf, codeNested)
	for _, v := range t {
		if err := p.element(v, depth+1); err != nil {
			return err
		}
	}
	p.buf = append(p.buf, terminator)
	return nil
}
