package layout

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/google/uuid"
	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

func drawEvent(t *rapid.T) fdbevents.EventData {
	return fdbevents.EventData{
		ID:          uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
		Type:        rapid.String().Draw(t, "type"),
		ContentType: rapid.String().Draw(t, "content type"),
		Tags:        rapid.SliceOfN(rapid.String(), 0, fdbevents.MaxTags).Draw(t, "tags"),
		Created:     time.Unix(0, rapid.Int64().Draw(t, "created")).UTC(),
		Data:        rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
		Metadata:    rapid.SliceOf(rapid.Byte()).Draw(t, "metadata"),
	}
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ev := drawEvent(t)
		stream, revision := rapid.String().Draw(t, "stream"), rapid.Int64Min(0).Draw(t, "revision")
		encoded := AppendRecord(nil, Record{Stream: stream, Revision: revision, Event: &ev})
		if bound := RecordBound(stream, &ev); len(encoded) > bound {
			t.Fatalf("got a record of %d bytes, want at most %d", len(encoded), bound)
		}
		var got fdbevents.Event
		if err := new(RecordDecoder).Record(encoded, &got); err != nil {
			t.Fatal(err)
		}
		if got.Stream != stream || got.Revision != revision || got.ID != ev.ID || got.Type != ev.Type || got.ContentType != ev.ContentType ||
			len(got.Tags) != len(ev.Tags) || len(ev.Tags) > 0 && !reflect.DeepEqual(got.Tags, ev.Tags) ||
			!got.Created.Equal(ev.Created) || !bytes.Equal(got.Data, ev.Data) || !bytes.Equal(got.Metadata, ev.Metadata) {
			t.Fatalf("got %+v, want %+v", got, ev)
		}
		// A change of any single byte is detected.
		i := rapid.IntRange(0, len(encoded)-1).Draw(t, "damaged byte")
		damaged := bytes.Clone(encoded)
		damaged[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "damage"))
		if err := new(RecordDecoder).Record(damaged, new(fdbevents.Event)); !errors.Is(err, fdbevents.ErrCorrupt) {
			t.Fatalf("byte %d changed: got %v, want ErrCorrupt", i, err)
		}
	})
}

// TestRecordIsPlainMsgpack makes sure that records can be read without this package.
func TestRecordIsPlainMsgpack(t *testing.T) {
	ev := fdbevents.EventData{ID: uuid.New(), Type: "t", ContentType: "c", Tags: []string{"x"}, Created: time.Unix(1, 5), Data: []byte("d"), Metadata: []byte("m")}
	encoded := AppendRecord(nil, Record{Stream: "s", Revision: 3, Event: &ev})
	if !new(RecordDecoder).plainRecord(encoded[:len(encoded)-crcSize], new(fdbevents.Event)) {
		t.Error("plainRecord gave the record up to the library")
	}
	var fields []any
	if err := msgpack.Unmarshal(encoded, &fields); err != nil {
		t.Fatal(err)
	}
	want := []any{int8(1), ev.ID[:], "s", int8(3), "t", "c", []any{"x"}, int64(1e9 + 5), []byte("d"), []byte("m")}
	if len(fields) != 11 || !reflect.DeepEqual(fields[:7], want[:7]) || !reflect.DeepEqual(fields[8:10], want[8:10]) {
		t.Errorf("got %#v, want the fields of the event", fields)
	}
}

func TestHeadAndHeaderRoundTrip(t *testing.T) {
	h := Head{Next: 1 << 40, TruncateBefore: 3, MaxAge: time.Hour, MaxCount: 9, State: StateTombstoned, Metadata: []byte("m")}
	got, err := DecodeHead(AppendHead(nil, h))
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("head: got %+v, %v, want what was encoded", got, err)
	}
	hd := Header{ID: uuid.New(), Partitions: 3, InlineLimit: 7, Indexes: []SystemIndex{{"type", true}, {"category", false}}}
	gotHeader, err := DecodeHeader(AppendHeader(nil, hd))
	if err != nil || !reflect.DeepEqual(gotHeader, hd) {
		t.Errorf("header: got %+v, %v, want what was encoded", gotHeader, err)
	}
}

func TestPlaceAndProjectionRoundTrip(t *testing.T) {
	for _, at := range []fdbevents.Position{fdbevents.Start, fdbevents.End, LastOfVersion(1 << 50)} {
		if got, err := DecodePlace(AppendPlace(nil, at)); err != nil || got != at {
			t.Errorf("got %s, %v, want %s", got, err, at)
		}
	}
	for _, p := range []Projection{{0, NoGeneration}, {3, 1 << 40}} {
		if got, err := DecodeProjection(AppendProjection(nil, p)); err != nil || got != p {
			t.Errorf("got %+v, %v, want %+v", got, err, p)
		}
	}
}

func TestNewerFormatsAreRefused(t *testing.T) {
	_, err := DecodeHeader([]byte{0x95, 3, 0xc4, 0, 1, 1, 0x90})
	if !errors.Is(err, fdbevents.ErrFormat) || err.Error() != "unknown store format 3: this build knows format 2; use a newer fdbevents" {
		t.Errorf("format 3: got %v", err)
	}
	_, err = DecodeHeader([]byte{0x95, 1, 0xc4, 0, 1, 1, 0x90})
	if !errors.Is(err, fdbevents.ErrFormat) || err.Error() != "unknown store format 1: this build knows format 2; read the events with the fdbevents that wrote it, and append them to a new store" {
		t.Errorf("format 1: got %v", err)
	}
	if _, err := DecodeHead([]byte{0x97, 2, 0, 0, 0, 0, 0, 0xc0}); !errors.Is(err, fdbevents.ErrFormat) {
		t.Errorf("head of format 2: got %v, want ErrFormat", err)
	}
}

func FuzzRecord(f *testing.F) {
	ev := fdbevents.EventData{Type: "t", Tags: []string{"x"}, Data: []byte("d")}
	f.Add(AppendRecord(nil, Record{Stream: "s", Revision: 3, Event: &ev}))
	long := fdbevents.EventData{ID: uuid.New(), Type: "long", ContentType: "text/plain", Tags: []string{"x", ""}, Created: time.Unix(1, 2), Data: make([]byte, 300), Metadata: []byte("m")}
	f.Add(AppendRecord(nil, Record{Stream: strings.Repeat("s", 40), Revision: 300, Event: &long}))
	f.Add(AppendRecord(nil, Record{Stream: "s", Revision: 3, Erased: true, Event: &fdbevents.EventData{Type: "t"}}))
	f.Add(appendChunkHeader(nil, 100_000))
	f.Fuzz(func(t *testing.T, src []byte) {
		var d RecordDecoder
		// A valid checksum lets the input reach the decoding of the fields.
		body := src
		if len(src) >= crcSize {
			body = src[: len(src)-crcSize : len(src)-crcSize]
			src = appendChecksum(body, 0)
		}
		var got, again, plain, library fdbevents.Event
		if d.plainRecord(body, &plain) {
			if err := d.anyRecord(body, &library); err != nil || !reflect.DeepEqual(plain, library) {
				t.Errorf("decoded as %+v, but by the library as %+v, %v", plain, library, err)
			}
		}
		if d.Record(src, &got) == nil {
			err := d.Record(AppendRecord(nil, Record{got.Stream, got.Revision, got.Erased, &fdbevents.EventData{ID: got.ID, Type: got.Type, ContentType: got.ContentType,
				Tags: got.Tags, Created: got.Created, Data: got.Data, Metadata: got.Metadata}}), &again)
			if err != nil || again.Stream != got.Stream || again.Erased != got.Erased || !bytes.Equal(again.Data, got.Data) {
				t.Errorf("decoded as %+v, but after encoding as %+v, %v", got, again, err)
			}
		}
		if IsChunked(src) {
			_, _, _ = DecodeChunkHeader(src)
		}
		_, _, _ = d.Owner(src)
	})
}

func TestKeysRoundTripAndSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := Keys{Prefix: rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "prefix")}
		stream := rapid.String().Draw(t, "stream")
		revision := rapid.Int64Range(0, math.MaxInt64-1).Draw(t, "revision")
		p := rapid.IntRange(0, fdbevents.MaxPartitions-1).Draw(t, "partition")
		at := fdbevents.PositionFromBytes([12]byte(rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, "position")))
		if got, err := k.ParseHead(k.Head(nil, stream)); err != nil || got != stream {
			t.Fatalf("head: got %q, %v", got, err)
		}
		if s, r, err := k.ParseEntry(k.Entry(nil, stream, revision)); err != nil || s != stream || r != revision {
			t.Fatalf("entry: got %q %d, %v", s, r, err)
		}
		if got, chunk, err := k.ParseSlot(p, k.Slot(nil, p, at)); err != nil || got != at || chunk != 0 {
			t.Fatalf("slot: got %s, %v", got, err)
		}
		if n := len(k.Slot(nil, p, at)); n != k.SlotSize(p) {
			t.Fatalf("got a slot key of %d bytes, want %d", n, k.SlotSize(p))
		}
		if tag, got, err := k.ParseTag(k.Tag(nil, stream, at)); err != nil || tag != stream || got != at {
			t.Fatalf("tag: got %q %s, %v", tag, got, err)
		}
		id := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		if got, s, err := k.ParseID(k.ID(nil, id, stream)); err != nil || got != id || s != stream {
			t.Fatalf("id: got %s %q, %v", got, s, err)
		}
		if name, err := k.ParseCheckpoint(k.Checkpoint(stream)); err != nil || name != stream {
			t.Fatalf("checkpoint: got %q, %v", name, err)
		}
		if name, g, view, err := k.ParseProjection(k.Projection(stream)); err != nil || name != stream || g != NoGeneration || view {
			t.Fatalf("projection: got %q %d %v, %v", name, g, view, err)
		}
		if name, g, view, err := k.ParseProjection(k.Generation(stream, revision)); err != nil || name != stream || g != revision || view {
			t.Fatalf("generation: got %q %d %v, %v", name, g, view, err)
		}
		key := appendPositionBytes(k.View(stream, revision).Begin, at)
		if name, g, view, err := k.ParseProjection(key); err != nil || name != stream || g != revision || !view {
			t.Fatalf("view: got %q %d %v, %v", name, g, view, err)
		}
		if !k.WholeGeneration(stream, revision).Contains(key) || !k.WholeProjection(stream).Contains(key) || k.WholeGeneration(stream, revision+1).Contains(key) {
			t.Fatalf("view key %x: want it in the ranges of its own generation and projection only", key)
		}
	})
}
