package layout

import "encoding/binary"

// plain reads msgpack in its usual encodings. When it meets any other encoding, it sets
// odd and reads only zeros from there on.
type plain struct {
	src []byte
	at  int // where the next read begins
	odd bool
}

// next reads n bytes.
func (p *plain) next(n int) []byte {
	at, end := p.at, p.at+n
	if p.odd || end > len(p.src) {
		p.odd = true
		return make([]byte, n)
	}
	p.at = end
	return p.src[at:end:end]
}

// array reads the length of an array of at most 15 elements.
func (p *plain) array() int {
	c := p.next(1)[0]
	p.odd = p.odd || c&0xf0 != 0x90
	return int(c & 0x0f)
}

// int reads a number that is not negative.
func (p *plain) int() int64 {
	switch c := p.next(1)[0]; {
	case c < 0x80:
		return int64(c)
	case c == 0xcc:
		return int64(p.next(1)[0])
	case c == 0xcd:
		return int64(binary.BigEndian.Uint16(p.next(2)))
	case c == 0xce:
		return int64(binary.BigEndian.Uint32(p.next(4)))
	case c == 0xcf:
		return int64(binary.BigEndian.Uint64(p.next(8)))
	}
	p.odd = true
	return 0
}

// bytes reads a string or byte string of less than 64 KiB. Like valueReader.bytes it
// returns nil for an empty one.
func (p *plain) bytes() []byte {
	n := 0
	switch c := p.next(1)[0]; {
	case c&0xe0 == 0xa0:
		n = int(c & 0x1f)
	case c == 0xc4, c == 0xd9:
		n = int(p.next(1)[0])
	case c == 0xc5, c == 0xda:
		n = int(binary.BigEndian.Uint16(p.next(2)))
	case c == 0xc0: // nil
	default:
		p.odd = true
	}
	if n == 0 {
		return nil
	}
	return p.next(n)
}
