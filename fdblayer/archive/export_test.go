package archive

import (
	"bytes"
	"io"
)

// WithHeaderFormat returns the archive with another format number in its header, and
// nothing after the header.
func WithHeaderFormat(file []byte, format byte) []byte {
	r := frameReader{r: bytes.NewReader(file)}
	_ = r.begin()
	_, payload, _ := r.read()
	payload = bytes.Clone(payload)
	payload[1] = format // after the array's length
	var out bytes.Buffer
	w := frameWriter{w: &out}
	_ = w.begin()
	_ = w.write(kindHeader, payload)
	return out.Bytes()
}

// WithFrame returns the archive with an additional frame after its header, and with
// correct checksums.
func WithFrame(file []byte, kind byte, payload []byte) []byte {
	r := frameReader{r: bytes.NewReader(file)}
	_ = r.begin()
	var out bytes.Buffer
	w := frameWriter{w: &out}
	_ = w.begin()
	for {
		k, p, err := r.read()
		if err != nil {
			return out.Bytes()
		}
		_ = w.write(k, p)
		if k == kindHeader {
			_ = w.write(kind, payload)
		}
	}
}

// Pack returns the payload of a block that holds the msgpack bytes raw.
func Pack(count int64, first, last string, raw []byte) []byte {
	x, _ := newPacker()
	return newEncoder().block(&block{count: count, first: first, last: last, size: int64(len(raw)), packed: x.EncodeAll(raw, nil)})
}

// Read reads an archive to its end, and returns how many events it holds.
func Read(file []byte) (events int64, err error) {
	in, err := newReader(bytes.NewReader(file))
	if err != nil {
		return 0, err
	}
	defer in.close()
	for {
		if _, err := in.next(); err == io.EOF {
			return in.seen.events, nil
		} else if err != nil {
			return in.seen.events, err
		}
	}
}
