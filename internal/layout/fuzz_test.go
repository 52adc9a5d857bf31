package layout

import (
	"bytes"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/google/uuid"
)

// FuzzKeys checks that a key is either refused or rebuilt from what was parsed out of
// it. The store parses keys from ranges of one subspace, so only what follows the
// subspace can be damaged.
func FuzzKeys(f *testing.F) {
	k := Keys{Prefix: []byte("pre")}
	id, at := uuid.New(), fdbevents.PositionFromBytes([12]byte{1, 2, 3})
	for _, key := range [][]byte{
		k.Head(nil, "s\x00t"), k.Entry(nil, "s", 1<<40), k.Slot(nil, 0, at), k.Slot(nil, 300, at), k.ID(nil, id, "s"), k.Tag(nil, "t", at),
		k.Checkpoint("c"), k.Projection("p"), k.Generation("p", 3), append(k.View("p", 3).Begin, 9),
		k.GroupConfig("g"), k.GroupBell("g"), k.GroupMember("g", id), k.GroupLease("g", 7), k.GroupProgress("g", 7),
		k.GroupParked("g", 7, at), k.GroupReplay("g", 7, at),
	} {
		f.Add(key[len(k.Prefix):])
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		key := append(bytes.Clone(k.Prefix), src...)
		same := func(what string, err error, again []byte) {
			t.Helper()
			// An integer with leading zeros is accepted, and written without them.
			if err == nil && len(again) >= len(key) && !bytes.Equal(again[len(k.Prefix)+subspaceSize:], src[subspaceSize:]) {
				t.Errorf("%s key %x: got %x when built again", what, key, again)
			}
		}
		if len(src) < subspaceSize {
			return // outside every range that is read
		}
		stream, err := k.ParseHead(key)
		same("head", err, k.Head(nil, stream))
		stream, revision, err := k.ParseEntry(key)
		same("entry", err, k.Entry(nil, stream, revision))
		event, stream, err := k.ParseID(key)
		same("id", err, k.ID(nil, event, stream))
		tag, at, err := k.ParseTag(key)
		same("tag", err, k.Tag(nil, tag, at))
		name, err := k.ParseCheckpoint(key)
		same("checkpoint", err, k.Checkpoint(name))
		name, g, view, err := k.ParseProjection(key)
		switch {
		case view:
		case g == NoGeneration:
			same("projection", err, k.Projection(name))
		default:
			same("generation", err, k.Generation(name, g))
		}
		for _, p := range []int{0, 300} {
			if len(src) < k.partitionSize(p)-len(k.Prefix) {
				continue
			}
			at, chunk, err := k.ParseSlot(p, key)
			if err == nil && chunk == 0 && !bytes.HasSuffix(key, k.Slot(nil, p, at)[k.partitionSize(p):]) && len(key) == k.SlotSize(p) {
				t.Errorf("slot %x of partition %d: got position %s, which has another key", key, p, at)
			}
		}
		group, err := k.ParseGroup(key)
		switch group.Kind {
		case GroupConfigKind, GroupBellKind:
			same("group", err, k.groupKind(group.Name, group.Kind))
		case GroupMemberKind:
			same("member", err, k.GroupMember(group.Name, group.Member))
		case GroupLeaseKind:
			same("lease", err, k.GroupLease(group.Name, group.Partition))
		case GroupProgressKind:
			same("progress", err, k.GroupProgress(group.Name, group.Partition))
		case GroupParkedKind:
			same("parked", err, k.GroupParked(group.Name, group.Partition, group.At))
		case GroupReplayKind:
			same("replay", err, k.GroupReplay(group.Name, group.Partition, group.At))
		}
	})
}

// FuzzValues checks that a value which a decoder accepts is accepted, and decodes the
// same, after it is encoded again. FuzzRecord covers records.
func FuzzValues(f *testing.F) {
	at := fdbevents.PositionFromBytes([12]byte{1, 2, 3})
	for _, value := range [][]byte{
		AppendHead(nil, Head{Next: 4, MaxAge: time.Hour, Metadata: []byte("m")}), AppendHeader(nil, Header{ID: uuid.New(), Partitions: 8, Indexes: []SystemIndex{{"type", true}}}),
		AppendPlace(nil, at), AppendScavengePlace(nil, []byte("x")), AppendProjection(nil, Projection{1, 2}),
		AppendGroupConfig(nil, GroupConfig{Prefix: "p", MessageTimeout: time.Minute, LeaseTime: time.Minute, Query: fdbevents.Query{Items: []fdbevents.QueryItem{{Types: []string{"t"}, Tags: []string{"a", "b"}}}}}),
		AppendGroupLease(nil, GroupLease{Epoch: 3}), AppendGroupCount(nil, 5), AppendGroupParked(nil, GroupParked{Attempts: 2, Reason: "r", Time: time.Unix(1, 2)}),
		AppendGroupProgress(nil, GroupProgress{Checkpoint: fdbevents.Start, Settled: []fdbevents.Position{at}, Attempts: []GroupAttempt{{at, 2}}}),
		AppendEntry(nil, Entry{Partition: 3, At: at, Size: 6, Record: []byte("record")}), AppendEntry(nil, Entry{Partition: 3, At: at, Size: 100}),
		AppendIDEntry(nil, IDEntry{Revision: 300, At: at}), AppendDoorbell(nil, at), AppendTagEntry(nil, 7),
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		stable(t, "head", src, DecodeHead, AppendHead)
		stable(t, "header", src, DecodeHeader, AppendHeader)
		stable(t, "place", src, DecodePlace, AppendPlace)
		stable(t, "scavenge place", src, DecodeScavengePlace, AppendScavengePlace)
		stable(t, "projection", src, DecodeProjection, AppendProjection)
		stable(t, "group settings", src, DecodeGroupConfig, AppendGroupConfig)
		stable(t, "group lease", src, DecodeGroupLease, AppendGroupLease)
		stable(t, "group progress", src, DecodeGroupProgress, AppendGroupProgress)
		stable(t, "parked message", src, DecodeGroupParked, AppendGroupParked)
		stable(t, "group counter", src, DecodeGroupCount, AppendGroupCount)
		stable(t, "entry", src, DecodeEntry, AppendEntry)
		stable(t, "id entry", src, DecodeIDEntry, AppendIDEntry)
		stable(t, "tag entry", src, DecodeTagEntry, AppendTagEntry)
		stable(t, "mark", src, DecodeMark, func(dst []byte, m Mark) []byte {
			return append(dst, stampedWith(m.At, AppendStampedMark(nil, m.Number))...)
		})
		stable(t, "doorbell", src, DecodeDoorbell, AppendDoorbell)
		_, _, _ = DecodeChunkHeader(src)
		_, _, _ = new(RecordDecoder).Owner(src)
	})
}

// stable checks that a decoded value encodes to bytes that decode, and that encode to
// themselves.
func stable[T any](t *testing.T, what string, src []byte, decode func([]byte) (T, error), encode func([]byte, T) []byte) {
	t.Helper()
	value, err := decode(src)
	if err != nil {
		return
	}
	encoded := encode(nil, value)
	again, err := decode(encoded)
	if err != nil {
		t.Errorf("%s %x: decodes as %+v, whose encoding does not decode: %v", what, src, value, err)
		return
	}
	if twice := encode(nil, again); !bytes.Equal(twice, encoded) {
		t.Errorf("%s %x: decodes as %+v, whose encoding decodes as %+v", what, src, value, again)
	}
}
