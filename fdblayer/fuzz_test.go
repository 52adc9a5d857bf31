package fdblayer

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"
)

// FuzzKeys: a key is refused, or is built again from what was read out of it. The
// keys that are parsed come from ranges of one subspace, but are damaged beyond it.
func FuzzKeys(f *testing.F) {
	k := keys{prefix: []byte("pre")}
	id, at := uuid.New(), PositionFromBytes([12]byte{1, 2, 3})
	for _, key := range [][]byte{
		k.head(nil, "s\x00t"), k.entry(nil, "s", 1<<40), k.slot(nil, 0, at), k.slot(nil, 300, at), k.id(nil, id, "s"), k.tag(nil, "t", at),
		k.checkpoint("c"), k.projection("p"), k.generation("p", 3), append(k.view("p", 3).Begin, 9),
		k.groupConfig("g"), k.groupBell("g"), k.groupMember("g", id), k.groupLease("g", 7), k.groupProgress("g", 7),
		k.groupParked("g", 7, at), k.groupReplay("g", 7, at),
	} {
		f.Add(key[len(k.prefix):])
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		key := append(bytes.Clone(k.prefix), src...)
		same := func(what string, err error, again []byte) {
			t.Helper()
			// An integer with zeros before it is read, and written without.
			if err == nil && len(again) >= len(key) && !bytes.Equal(again[len(k.prefix)+subspaceSize:], src[subspaceSize:]) {
				t.Errorf("%s key %x is built again as %x", what, key, again)
			}
		}
		if len(src) < subspaceSize {
			return // in no range that is read
		}
		stream, err := k.parseHead(key)
		same("head", err, k.head(nil, stream))
		stream, revision, err := k.parseEntry(key)
		same("entry", err, k.entry(nil, stream, revision))
		event, stream, err := k.parseID(key)
		same("id", err, k.id(nil, event, stream))
		tag, at, err := k.parseTag(key)
		same("tag", err, k.tag(nil, tag, at))
		name, err := k.parseCheckpoint(key)
		same("checkpoint", err, k.checkpoint(name))
		name, g, view, err := k.parseProjection(key)
		switch {
		case view:
		case g == none:
			same("projection", err, k.projection(name))
		default:
			same("generation", err, k.generation(name, g))
		}
		for _, p := range []int{0, 300} {
			if len(src) < k.partitionSize(p)-len(k.prefix) {
				continue
			}
			at, chunk, err := k.parseSlot(p, key)
			if err == nil && chunk == 0 && !bytes.HasSuffix(key, k.slot(nil, p, at)[k.partitionSize(p):]) && len(key) == k.slotSize(p) {
				t.Errorf("slot %x of partition %d is read as %s", key, p, at)
			}
		}
		group, err := k.parseGroup(key)
		switch group.kind {
		case groupConfigKind, groupBellKind:
			same("group", err, k.groupKind(group.name, group.kind))
		case groupMemberKind:
			same("member", err, k.groupMember(group.name, group.member))
		case groupLeaseKind:
			same("lease", err, k.groupLease(group.name, group.partition))
		case groupProgressKind:
			same("progress", err, k.groupProgress(group.name, group.partition))
		case groupParkedKind:
			same("parked", err, k.groupParked(group.name, group.partition, group.at))
		case groupReplayKind:
			same("replay", err, k.groupReplay(group.name, group.partition, group.at))
		}
	})
}

// FuzzValues: what a decoder accepts, it accepts and reads the same when it is
// encoded again. FuzzRecord is about records.
func FuzzValues(f *testing.F) {
	at := PositionFromBytes([12]byte{1, 2, 3})
	for _, value := range [][]byte{
		appendHead(nil, head{next: 4, maxAge: time.Hour, metadata: []byte("m")}), appendHeader(nil, header{id: uuid.New(), partitions: 8, indexes: []systemIndex{{"type", true}}}),
		appendPlace(nil, at), appendProgress(nil, []byte("x")), appendProjection(nil, projection{1, 2}),
		appendGroupConfig(nil, groupConfig{prefix: "p", messageTimeout: time.Minute, leaseTime: time.Minute, query: Query{Items: []QueryItem{{Types: []string{"t"}, Tags: []string{"a", "b"}}}}}),
		appendGroupLease(nil, groupLease{epoch: 3}), appendGroupCount(nil, 5), appendGroupParked(nil, groupParked{attempts: 2, reason: "r", time: time.Unix(1, 2)}),
		appendGroupProgress(nil, groupProgress{checkpoint: Start, settled: []Position{at}, attempts: []groupAttempt{{at, 2}}}),
		appendEntry(nil, entry{partition: 3, at: at, size: 6, record: []byte("record")}), appendEntry(nil, entry{partition: 3, at: at, size: 100}),
		appendIDEntry(nil, idEntry{revision: 300, at: at}), appendDoorbell(nil, at), appendTagEntry(nil, 7),
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		stable(t, "head", src, decodeHead, appendHead)
		stable(t, "header", src, decodeHeader, appendHeader)
		stable(t, "place", src, decodePlace, appendPlace)
		stable(t, "progress", src, decodeProgress, appendProgress)
		stable(t, "projection", src, decodeProjection, appendProjection)
		stable(t, "group settings", src, decodeGroupConfig, appendGroupConfig)
		stable(t, "group lease", src, decodeGroupLease, appendGroupLease)
		stable(t, "group progress", src, decodeGroupProgress, appendGroupProgress)
		stable(t, "parked message", src, decodeGroupParked, appendGroupParked)
		stable(t, "group counter", src, decodeGroupCount, appendGroupCount)
		stable(t, "entry", src, decodeEntry, appendEntry)
		stable(t, "id entry", src, decodeIDEntry, appendIDEntry)
		stable(t, "tag entry", src, decodeTagEntry, appendTagEntry)
		stable(t, "mark", src, decodeMark, func(dst []byte, m mark) []byte {
			return append(dst, stampedWith(m.at, appendStampedMark(nil, m.number))...)
		})
		stable(t, "doorbell", src, decodeDoorbell, appendDoorbell)
		_, _, _ = decodeChunkHeader(src)
		_, _, _ = new(recordDecoder).owner(src)
	})
}

// stable checks that what was decoded is encoded to what decodes and encodes the
// same.
func stable[T any](t *testing.T, what string, src []byte, decode func([]byte) (T, error), encode func([]byte, T) []byte) {
	t.Helper()
	value, err := decode(src)
	if err != nil {
		return
	}
	encoded := encode(nil, value)
	again, err := decode(encoded)
	if err != nil {
		t.Errorf("%s %x is decoded as %+v, which cannot be read again: %v", what, src, value, err)
		return
	}
	if twice := encode(nil, again); !bytes.Equal(twice, encoded) {
		t.Errorf("%s %x is decoded as %+v, and then as %+v", what, src, value, again)
	}
}
