package layout

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/google/uuid"
	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// stampedWith returns the value that the engine makes of a versionstamped operand.
func stampedWith(at fdbevents.Position, operand []byte) []byte {
	value := bytes.Clone(operand[:len(operand)-stampOffsetSize])
	stamp := StampOf(at)
	copy(value, stamp[:])
	return value
}

// storedValue is a value as it is stored, and what it decodes to.
type storedValue struct {
	name  string
	bytes []byte
	// hex is what bytes must be, forever.
	hex    string
	want   any
	decode func(src []byte) (any, error)
	// formatted is true when the value has a format number.
	formatted bool
	// alsoValid is the length to which the value can be cut and still be valid; 0
	// means that there is no such length.
	alsoValid int
}

func decoding[T any](decode func([]byte) (T, error)) func([]byte) (any, error) {
	return func(src []byte) (any, error) { return decode(src) }
}

func decodeRecord(src []byte) (ev fdbevents.Event, err error) {
	err = new(RecordDecoder).Record(src, &ev)
	return ev, err
}

func storedValues() []storedValue {
	id := uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	at := fdbevents.PositionFromBytes([12]byte{0, 5, 6, 7, 8, 9, 10, 11, 0, 1, 0, 2})
	first := NewPosition(StampOf(at), 0)
	ev := fdbevents.Event{ID: id, Stream: "s", Revision: 300, Type: "t", ContentType: "c", Tags: []string{"x", "y"}, Created: time.Unix(1, 5).UTC(), Data: []byte("d"), Metadata: []byte("m")}
	erased := ev
	erased.Erased, erased.Tags, erased.Data, erased.Metadata = true, []string{"x"}, nil, nil
	negative := ev
	negative.Created = time.Unix(-1, 0).UTC()
	recordOf := func(ev fdbevents.Event) []byte {
		return AppendRecord(nil, Record{ev.Stream, ev.Revision, ev.Erased, &fdbevents.EventData{ID: ev.ID, Type: ev.Type,
			ContentType: ev.ContentType, Tags: ev.Tags, Created: ev.Created, Data: ev.Data, Metadata: ev.Metadata}})
	}
	h := Head{Next: 1 << 40, TruncateBefore: 3, MaxAge: time.Hour, MaxCount: 9, State: StateTombstoned, Metadata: []byte("m")}
	hd := Header{ID: id, Partitions: 8, InlineLimit: 1024, Indexes: []SystemIndex{{"type", true}, {"category", false}}}
	config := GroupConfig{Incarnation: id, Prefix: "p", From: at, MessageTimeout: time.Minute, MaxRetries: 3, LeaseTime: time.Minute, Paused: true,
		Query: fdbevents.Query{Items: []fdbevents.QueryItem{{Types: []string{"t"}, Tags: []string{"a", "b"}}}}}
	progress := GroupProgress{Checkpoint: fdbevents.Start, Settled: []fdbevents.Position{at, at.Next()}, Attempts: []GroupAttempt{{at, 2}}}
	parked := GroupParked{Attempts: 2, Reason: "r", Time: time.Unix(1, 2).UTC()}
	pointing := Entry{Partition: 200, At: at, Size: 300}
	holding := Entry{Partition: 200, At: at, Size: 3, Record: []byte("rec")}
	around, _ := StampedEntryAround([]byte("rec"), 2, 200)
	return []storedValue{
		{"record", recordOf(ev), "9b01c4106ba7b8109dad11d180b400c04fd430c8a173cd012ca174a16392a178a179ce3b9aca05c40164c4016dce531ac2e6", ev, decoding(decodeRecord), true, 0},
		{"record before 1970", recordOf(negative), "9b01c4106ba7b8109dad11d180b400c04fd430c8a173cd012ca174a16392a178a179d2c4653600c40164c4016dce833f740e", negative, decoding(decodeRecord), true, 0},
		{"erased record", recordOf(erased), "9b03c4106ba7b8109dad11d180b400c04fd430c8a173cd012ca174a16391a178ce3b9aca05c0c0ce852ec0a7", erased, decoding(decodeRecord), true, 0},
		{"head", AppendHead(nil, h), "9701cf000001000000000003cf0000034630b8a0000901c4016d", h, decoding(DecodeHead), true, 0},
		{"empty head", AppendHead(nil, Head{}), "97010000000000c0", Head{}, decoding(DecodeHead), true, 0},
		{"header", AppendHeader(nil, hd), "9502c4106ba7b8109dad11d180b400c04fd430c808cd04009292a474797065c392a863617465676f7279c2", hd, decoding(DecodeHeader), true, 0},
		{"scavenge place", AppendScavengePlace(nil, []byte("stream")), "9201c40673747265616d", []byte("stream"), decoding(DecodeScavengePlace), true, 0},
		{"place", AppendPlace(nil, at), "9201c40c0005060708090a0b00010002", at, decoding(DecodePlace), true, 0},
		{"projection", AppendProjection(nil, Projection{3, NoGeneration}), "930103ff", Projection{3, NoGeneration}, decoding(DecodeProjection), true, 0},
		{"group settings", AppendGroupConfig(nil, config), "9901c4106ba7b8109dad11d180b400c04fd430c8a170919291a17492a161a162c40c0005060708090a0b00010002cf0000000df847580003cf0000000df8475800c3", config, decoding(DecodeGroupConfig), true, 0},
		{"group lease", AppendGroupLease(nil, GroupLease{id, 300}), "9301c4106ba7b8109dad11d180b400c04fd430c8cd012c", GroupLease{id, 300}, decoding(DecodeGroupLease), true, 0},
		{"group progress", AppendGroupProgress(nil, progress), "9401c40c000000000000000000000000c4180005060708090a0b000100020005060708090a0b0001000392c40c0005060708090a0b0001000202", progress, decoding(DecodeGroupProgress), true, 0},
		{"new group progress", AppendGroupProgress(nil, GroupProgress{}), "9401c40c000000000000000000000000c40090", GroupProgress{}, decoding(DecodeGroupProgress), true, 0},
		{"parked message", AppendGroupParked(nil, parked), "940102a172ce3b9aca02", parked, decoding(DecodeGroupParked), true, 0},
		{"group counter", AppendGroupCount(nil, 300), "9201cd012c", int64(300), decoding(DecodeGroupCount), true, 0},
		{"entry", AppendEntry(nil, pointing), "0005060708090a0b00010002c801ac02", pointing, decoding(DecodeEntry), false, 0},
		{"entry with its record", AppendEntry(nil, holding), "0005060708090a0b00010002c80103726563", holding, decoding(DecodeEntry), false, 15},
		{"stamped entry", stampedWith(at, AppendStampedEntry(nil, 2, pointing)), "0005060708090a0b00010002c801ac02", pointing, decoding(DecodeEntry), false, 0},
		{"stamped entry with its record", stampedWith(at, AppendStampedEntry(nil, 2, holding)), "0005060708090a0b00010002c80103726563", holding, decoding(DecodeEntry), false, 15},
		{"stamped entry built around its record", stampedWith(at, around), "0005060708090a0b00010002c80103726563", holding, decoding(DecodeEntry), false, 15},
		{"id entry", AppendIDEntry(nil, IDEntry{300, at}), "0005060708090a0b00010002ac02", IDEntry{300, at}, decoding(DecodeIDEntry), false, 0},
		{"stamped id entry", stampedWith(at, AppendStampedIDEntry(nil, 2, 300)), "0005060708090a0b00010002ac02", IDEntry{300, at}, decoding(DecodeIDEntry), false, 0},
		{"stamped mark", stampedWith(at, AppendStampedMark(nil, 300)), "0005060708090a0b00010000ac02", Mark{300, first}, decoding(DecodeMark), false, 0},
		{"mark", AppendMark(nil, Mark{300, first}), "0005060708090a0b00010000ac02", Mark{300, first}, decoding(DecodeMark), false, 0},
		{"doorbell", AppendDoorbell(nil, at), "0005060708090a0b00010000", first, decoding(DecodeDoorbell), false, 0},
		{"stamped doorbell", stampedWith(at, AppendStampedDoorbell(nil)), "0005060708090a0b00010000", first, decoding(DecodeDoorbell), false, 0},
		{"tag entry", AppendTagEntry(nil, 200), "c801", 200, decoding(DecodeTagEntry), false, 0},
	}
}

// TestStoredValues checks that each value encodes to the bytes that it always had,
// decodes to what it was, and is refused when it is cut short, has bytes after its
// end, or has another format.
func TestStoredValues(t *testing.T) {
	for _, v := range storedValues() {
		t.Run(v.name, func(t *testing.T) {
			if got := hex.EncodeToString(v.bytes); got != v.hex {
				t.Errorf("got bytes %s, want %s", got, v.hex)
			}
			if got, err := v.decode(v.bytes); err != nil || !reflect.DeepEqual(got, v.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, v.want)
			}
			refused := func(what string, src []byte, want error) {
				t.Helper()
				if got, err := v.decode(src); !errors.Is(err, want) {
					t.Errorf("%s: got %+v, %v, want %v", what, got, err, want)
				}
			}
			for n := range len(v.bytes) {
				if n != v.alsoValid || n == 0 {
					refused("cut short", v.bytes[:n], fdbevents.ErrCorrupt)
				}
			}
			refused("extra byte", append(bytes.Clone(v.bytes), 0), fdbevents.ErrCorrupt)
			if !v.formatted {
				return
			}
			isRecord := v.bytes[0] == 0x90|recordFields
			mended := func(body []byte) []byte {
				if isRecord {
					return appendChecksum(body, 0)
				}
				return body
			}
			body := bytes.Clone(v.bytes)
			if isRecord {
				body = body[:len(body)-crcSize]
				refused("extra byte before the checksum", mended(append(bytes.Clone(body), 0)), fdbevents.ErrCorrupt)
				for n := range len(body) {
					refused("cut short before the checksum", mended(bytes.Clone(body[:n])), fdbevents.ErrCorrupt)
				}
			}
			body[1] = 99
			refused("unknown format", mended(bytes.Clone(body)), fdbevents.ErrFormat)
			body[1] = v.bytes[1]
			body[0]++
			refused("extra field", mended(body), fdbevents.ErrFormat)
		})
	}
}

// TestAppendersAppend checks that what dst already holds stays, and is not part of the
// value.
func TestAppendersAppend(t *testing.T) {
	ev := fdbevents.EventData{Type: "t", Data: []byte("d")}
	for name, appended := range map[string]func(dst []byte) []byte{
		"record":        func(dst []byte) []byte { return AppendRecord(dst, Record{Stream: "s", Event: &ev}) },
		"head":          func(dst []byte) []byte { return AppendHead(dst, Head{Next: 3}) },
		"stamped entry": func(dst []byte) []byte { return AppendStampedEntry(dst, 1, Entry{Size: 3, Record: []byte("rec")}) },
		"chunk header":  func(dst []byte) []byte { return appendChunkHeader(dst, 100_000) },
		"counter":       func(dst []byte) []byte { return AppendCounter(dst, -2) },
	} {
		if got, want := appended([]byte("before")), append([]byte("before"), appended(nil)...); !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", name, got, want)
		}
	}
	if got := hex.EncodeToString(AppendCounter(nil, -2)); got != "feffffffffffffff" {
		t.Errorf("counter: got %s, want feffffffffffffff", got)
	}
}

// TestStampedEntryAround checks that the record moves, but within its own memory.
func TestStampedEntryAround(t *testing.T) {
	encoded := append(make([]byte, 0, 100), "rec"...)
	operand, moved := StampedEntryAround(encoded, 258, 200)
	if got := hex.EncodeToString(operand); got != "000000000000000000000102c8010372656300000000" {
		t.Errorf("got operand %s", got)
	}
	if &operand[0] != &encoded[0] || &moved[0] != &operand[15] || string(moved) != "rec" || cap(moved) != 3 {
		t.Errorf("got record %q, want \"rec\" moved within its own memory", moved)
	}
}

// TestSplitRecord checks that the parts are as large as allowed, and that the first
// holds the size of the record and its beginning.
func TestSplitRecord(t *testing.T) {
	ev := fdbevents.EventData{Type: "t", Data: bytes.Repeat([]byte("data"), 50_000)}
	encoded := AppendRecord(nil, Record{Stream: "s", Event: &ev})
	parts := SplitRecord(encoded)
	if len(parts) != 3 || len(parts[0]) != ChunkSize || len(parts[1]) != ChunkSize || !IsChunked(parts[0]) {
		t.Fatalf("got %d parts, the first of %d bytes, want 3, all but the last of ChunkSize", len(parts), len(parts[0]))
	}
	if total, first, err := DecodeChunkHeader(parts[0]); err != nil || total != len(encoded) || !bytes.Equal(first, encoded[:len(first)]) {
		t.Errorf("got %d bytes in total, %d in the slot, %v", total, len(first), err)
	}
	if got := hex.EncodeToString(appendChunkHeader(nil, 100_000)); got != "9202ce000186a0" {
		t.Errorf("chunk header: got %s, want 9202ce000186a0", got)
	}
	if _, _, err := DecodeChunkHeader([]byte{0x92, 9, 1}); !errors.Is(err, fdbevents.ErrFormat) {
		t.Errorf("unknown format: got %v, want ErrFormat", err)
	}
	for n := range 7 {
		if _, _, err := DecodeChunkHeader(parts[0][:n]); !errors.Is(err, fdbevents.ErrCorrupt) {
			t.Errorf("cut to %d bytes: got %v, want ErrCorrupt", n, err)
		}
	}
}

// TestWriterIsTheLibrary checks that the writer encodes as the library does, below and
// above the lengths from which it leaves the work to the library.
func TestWriterIsTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		array, number := rapid.IntRange(0, 70_000).Draw(t, "array"), rapid.Int64().Draw(t, "number")
		text := strings.Repeat("x", rapid.IntRange(0, 70_000).Draw(t, "text"))
		blob := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
		var buf bytes.Buffer
		enc := msgpack.NewEncoder(&buf)
		enc.UseCompactInts(true)
		_ = enc.EncodeArrayLen(array)
		_ = enc.EncodeInt(3)
		_ = enc.EncodeInt(number)
		_ = enc.EncodeString(text)
		_ = enc.EncodeBytes(blob)
		_ = enc.EncodeBytes(nil)
		_ = enc.EncodeBool(true)
		w := beginValue(nil, 3, array)
		w.int(number)
		w.text(text)
		w.bytes(blob)
		w.bytes(nil)
		w.bool(true)
		if got := w.end(); !bytes.Equal(got, buf.Bytes()) {
			t.Fatalf("got %x, want %x", got, buf.Bytes())
		}
	})
}
