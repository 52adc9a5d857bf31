package fdblayer_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// writeGolden rewrites the files of TestStoreOfFormat2:
//
//	go test ./fdblayer -run TestWriteGolden -args -write-golden
//
// Only a build that writes format 2 can do this, and only one whose bytes are known to
// be right should: all later builds are held to what it writes.
var writeGolden = flag.Bool("write-golden", false, "rewrite the store of format 2 in testdata")

// goldenMaker makes a store that holds one of everything.
type goldenMaker struct {
	*testing.T
	e engine.Engine
	s *fdblayer.Store
	// orders maps events of the streams order-0 to order-9, such as order-3@1, to
	// their positions.
	orders map[string]fdbevents.Position
}

func TestWriteGolden(t *testing.T) {
	if !*writeGolden {
		t.Skip("skipped: run on demand, with -args -write-golden")
	}
	e := storetest.OpenMemory(t)
	first := readVersion(t, e)
	// The store is not closed before it is written down, as if its process had died.
	s := storetest.OpenStore(t, e, fdblayer.Options{Partitions: 5, InlineLimit: 400})
	m := &goldenMaker{T: t, e: e, s: s, orders: make(map[string]fdbevents.Position)}
	m.appendOrders()
	storetest.OK(t, s.CreateIndex(t.Context(), fdbevents.IndexType, nil))
	m.appendStock()
	m.appendStreams()
	m.workOff()
	m.hide()
	m.readers()
	m.hideMore()
	m.interrupt()

	pairs := wholeEngine(t, e)
	small := smallVersions(t, first, readVersion(t, e), pairs)
	lines := goldenLines(t, s)
	position := regexp.MustCompile("[0-9a-f]{24}")
	for i := range lines {
		lines[i] = position.ReplaceAllStringFunc(lines[i], func(text string) string {
			at, _ := hex.DecodeString(text)
			return hex.EncodeToString(small.replace(at))
		})
	}
	for i := range pairs {
		pairs[i].Key, pairs[i].Value = small.replace(pairs[i].Key), small.replace(pairs[i].Value)
	}
	lines = append(goldenKinds(t, pairs), lines...)
	storetest.OK(t, os.MkdirAll("testdata", 0o777))
	storetest.OK(t, os.WriteFile(goldenText, []byte(strings.Join(lines, "\n")+"\n"), 0o666))
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	storetest.OK(t, err)
	enc := json.NewEncoder(z)
	for _, kv := range pairs {
		storetest.OK(t, enc.Encode(goldenPair{Key: hex.EncodeToString(kv.Key), Value: hex.EncodeToString(kv.Value)}))
	}
	storetest.OK(t, z.Close())
	storetest.OK(t, os.WriteFile(goldenKeys, out.Bytes(), 0o666))
}

// appendOrders appends ten orders of three events each, taking turns, for the groups to
// work through.
func (m *goldenMaker) appendOrders() {
	for revision, typ := range []string{"placed", "paid", "sent"} {
		for n := range 10 {
			stream := fmt.Sprint("order-", n)
			ev := fdbevents.EventData{Type: typ, ContentType: "application/json", Data: fmt.Appendf(nil, `{"order":%d}`, n)}
			if n%2 == 0 {
				ev.Tags = []string{"vip"}
			}
			r := storetest.MustAppend(m, m.s, stream, fdbevents.ExpectedRevision(revision-1), ev)
			m.orders[fmt.Sprintf("%s@%d", stream, revision)] = r.Position
		}
	}
}

// appendStock appends events of all sizes and with all fields, some of them in one
// transaction.
func (m *goldenMaker) appendStock() {
	for _, name := range []string{"small", "medium", "large"} {
		storetest.MustAppend(m, m.s, "stock-1", fdbevents.Any, goldenEvents[name])
	}
	// The same id in two streams.
	_, err := m.s.AppendMany(m.Context(), storetest.AppendTo("stock-1", goldenEvents["secret"], goldenEvents["novel"]), storetest.AppendTo("copy-1", goldenEvents["secret"]))
	storetest.OK(m.T, err)
	storetest.MustAppend(m, m.s, "stock-1", 4, fdbevents.EventData{Type: "empty"}, fdbevents.EventData{Type: "binary", Data: []byte{0, 1, 0xfe, 0xff}, Metadata: []byte{0xff}})
	storetest.MustAppend(m, m.s, "größe-1", fdbevents.NoStream, fdbevents.EventData{Type: "gemessen", Tags: []string{"größe"}, Data: []byte("1,80 m")})
	_, err = m.s.Transact(m.Context(), func(tx *fdblayer.Tx) error {
		tx.Data("stock").Add([]byte("pieces"), 300)
		_, err := tx.Append("stock-2", fdbevents.NoStream, storetest.Tagged("counted", "vip", "large"), storetest.Tagged("counted"))
		return err
	})
	storetest.OK(m.T, err)
	_, err = m.s.Restore(m.Context(), []fdbevents.Event{restorable("import-1", 5, 20), restorable("import-1", 6, 2_000)}, fdblayer.RestoreOptions{})
	storetest.OK(m.T, err)
}

// appendStreams appends to the streams in which hide and hideMore hide events.
func (m *goldenMaker) appendStreams() {
	n := map[string]int{"kept-1": 4, "kept-2": 4, "cut-1": 4, "cut-2": 3, "gone-1": 2, "gone-2": 2, "back-1": 2, "dead-1": 2, "dead-2": 2}
	for _, stream := range slices.Sorted(maps.Keys(n)) {
		for i := range n[stream] {
			ev := goldenEvents["cut"]
			if i > 0 {
				ev = storetest.Tagged("noted", "vip")
			}
			storetest.MustAppend(m, m.s, stream, fdbevents.ExpectedRevision(i-1), ev)
		}
	}
	// The first event is always too old, the others not for a century.
	old := fdbevents.EventData{Type: "noted", Created: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)}
	storetest.MustAppend(m, m.s, "aged-1", fdbevents.NoStream, old, storetest.Event("noted"), storetest.Event("noted"))
}

// hide hides events in every way, and removes them.
func (m *goldenMaker) hide() {
	ctx, s := m.Context(), m.s
	storetest.OK(m.T, s.SetRetention(ctx, "kept-1", fdblayer.Retention{MaxCount: 1}))
	storetest.OK(m.T, s.SetStreamMetadata(ctx, "kept-1", []byte(`{"owner":"sales"}`)))
	storetest.OK(m.T, s.SetStreamMetadata(ctx, "noted-1", textOf(500)))
	storetest.OK(m.T, s.Truncate(ctx, "cut-1", 2))
	storetest.OK(m.T, s.Truncate(ctx, "order-7", 1)) // its first message is parked
	storetest.OK(m.T, s.Delete(ctx, "gone-1", 1))
	storetest.OK(m.T, s.Delete(ctx, "back-1", fdbevents.Any))
	storetest.OK(m.T, s.Tombstone(ctx, "dead-1", fdbevents.StreamExists))
	storetest.MustAppend(m, s, "back-1", fdbevents.NoStream, storetest.Event("again"))
	report, err := s.Scavenge(ctx, fdblayer.ScavengeOptions{})
	if err != nil || report.Events != 3+2+1+2+2+2 {
		m.Fatalf("scavenge: got %+v, %v, want 12 events", report, err)
	}
	for _, name := range []string{"secret", "novel"} {
		_, err := s.Erase(ctx, goldenEvents[name].ID)
		storetest.OK(m.T, err)
	}
}

// hideMore hides events, and leaves their removal to the next scavenge.
func (m *goldenMaker) hideMore() {
	ctx, s := m.Context(), m.s
	storetest.OK(m.T, s.SetRetention(ctx, "kept-2", fdblayer.Retention{MaxCount: 2}))
	storetest.OK(m.T, s.SetRetention(ctx, "aged-1", fdblayer.Retention{MaxAge: 100 * 365 * 24 * time.Hour, MaxCount: 50}))
	storetest.OK(m.T, s.Truncate(ctx, "cut-2", 2))
	storetest.OK(m.T, s.Delete(ctx, "gone-2", fdbevents.Any))
	storetest.OK(m.T, s.Tombstone(ctx, "dead-2", 1))
	storetest.OK(m.T, s.Tombstone(ctx, "dead-3", fdbevents.NoStream))
}

// interrupt begins a scavenge and the build of an index, and finishes neither.
func (m *goldenMaker) interrupt() {
	_, err := m.s.Transact(m.Context(), func(tx *fdblayer.Tx) error {
		for n := range 1000 {
			if err := tx.SetRetention(account(n).Stream, account(n).Retention); err != nil {
				return err
			}
		}
		return nil
	})
	storetest.OK(m.T, err)
	ctx, stop := context.WithCancel(m.Context())
	_, err = m.s.Scavenge(ctx, fdblayer.ScavengeOptions{Progress: func(done, _ int64) {
		if done == 1000 {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		m.Fatal(err)
	}
	ctx, stop = context.WithCancel(m.Context())
	if err := m.s.CreateIndex(ctx, fdbevents.IndexCategory, func(int64, int64) { stop() }); !errors.Is(err, context.Canceled) {
		m.Fatal(err)
	}
	storetest.MustAppend(m, m.s, "stock-2", 1, storetest.Tagged("counted", "vip"))
}

// readers leaves checkpoints, projections and data of an application.
func (m *goldenMaker) readers() {
	ctx, s := m.Context(), m.s
	storetest.OK(m.T, s.SetCheckpoint(ctx, "reader", m.orders["order-3@1"]))
	storetest.OK(m.T, s.SetCheckpoint(ctx, "another reader", fdbevents.Start))
	_, err := s.Transact(ctx, func(tx *fdblayer.Tx) error {
		prices := tx.Data("prices")
		prices.Set([]byte("tea"), []byte("4.20"))
		prices.Set([]byte{0, 0xff, 0}, []byte{})
		tx.Data("stock").Add([]byte("pieces"), -1)
		return nil
	})
	storetest.OK(m.T, err)
	projectUntilCaughtUp(m, s, "totals", fdblayer.ProjectOptions{}, tally("totals"))
	before := goldenRebuilt
	before.Generation = 1
	projectUntilCaughtUp(m, s, "names", before, tally("names"))
	// The rebuild runs in small batches, and stops after the second.
	enough, batches := errors.New("enough"), 0
	err = s.Project(ctx, "names", goldenRebuilt, func(ctx context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
		if len(events) > 4 {
			return engine.ErrTransactionTooLarge
		}
		if batches++; batches > 2 {
			return enough
		}
		return tally("names")(ctx, tx, events)
	})
	if !errors.Is(err, enough) {
		m.Fatal(err)
	}
}

// workOff makes the consumer groups. goldenUnsettled lists what it leaves unsettled.
func (m *goldenMaker) workOff() {
	ctx := m.Context()
	mails := storetest.NewGroup(m, m.s, "mails", groups.Options{Filter: fdbevents.InStreams("order-"), MaxRetries: 2, LeaseTime: time.Second})
	// The member's process stops in the end, still holding its leases.
	gag := storetest.NewGag(m.e)
	stopped, err := fdblayer.Open(ctx, gag, fdblayer.Options{})
	storetest.OK(m.T, err)
	m.Cleanup(func() { stopped.Close() })
	member := storetest.Join(m, storetest.NewGroup(m, stopped, "mails", groups.Options{}))
	held := make(map[string]*groups.Message)
	m.settle(member, held, groups.Park, "the address is wrong", "order-3@0 attempt 1", "order-4@0 attempt 1")
	if n, err := mails.Replay(ctx); err != nil || n != 2 {
		m.Fatal(n, err)
	}
	m.settle(member, held, 0, "", "order-0@0 attempt 1", "order-0@1 attempt 1", "order-4@1 attempt 1", "order-4@2 attempt 1")
	m.settle(member, held, 0, "", "order-8@0 attempt 1", "order-8@1 attempt 1", "order-8@2 attempt 1")
	m.settle(member, held, groups.Skip, "", "order-5@0 attempt 1")
	m.settle(member, held, groups.Park, "kaputt: 100 % größer", "order-6@0 attempt 1", "order-7@0 attempt 1")
	m.settle(member, held, groups.Retry, "no answer", "order-9@0 attempt 1", "order-9@0 attempt 2", "order-9@0 attempt 3")
	m.settle(member, held, groups.Retry, "not now", "order-2@0 attempt 1", "order-4@0 attempt 1 replayed")
	gag.Silence()
	var ahead, retrying, replaying int64
	i := storetest.GroupInfo(m, mails)
	for _, p := range i.Partitions {
		ahead, retrying, replaying = ahead+int64(p.Ahead), retrying+int64(p.Retrying), replaying+p.Replaying.N
	}
	if i.Parked().N != 3 || replaying != 2 || retrying != 1 || ahead == 0 || len(i.Members) != 1 {
		m.Fatalf("got %+v, want 3 parked, 2 replaying, 1 retrying, some ahead, 1 member", i)
	}

	bills := storetest.NewGroup(m, m.s, "bills", groups.Options{Filter: fdbevents.Filter{Query: storetest.Query(fdbevents.QueryItem{Types: []string{"sent", "returned"}, Tags: []string{"vip"}})}, From: m.orders["order-0@2"],
		MaxRetries: -1, MessageTimeout: time.Minute,
	})
	member = storetest.Join(m, bills)
	m.settle(member, make(map[string]*groups.Message), 0, "", "order-2@2 attempt 1")
	storetest.OK(m.T, bills.Pause(ctx))
	storetest.OK(m.T, member.Close())
	storetest.NewGroup(m, m.s, "late", groups.Options{Filter: fdbevents.InStreams("order-"), From: fdbevents.End})
}

// settle settles the messages with these labels, in order; action 0 acknowledges them.
// Other messages that come first wait in held.
func (m *goldenMaker) settle(member *groups.Member, held map[string]*groups.Message, action groups.NackAction, reason string, labels ...string) {
	m.Helper()
	for _, wanted := range labels {
		for held[wanted] == nil {
			msg := storetest.NextMessage(m, member)
			held[label(msg)] = msg
		}
		if action == 0 {
			storetest.Ack(m, held[wanted])
		} else {
			storetest.Nack(m, held[wanted], action, reason)
		}
	}
}

func readVersion(t *testing.T, e engine.Engine) (version int64) {
	t.Helper()
	storetest.OK(t, engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) (err error) {
		version, err = tr.ReadVersion().Get()
		return err
	}))
	return version
}

// wholeEngine returns every key and value of an engine whose prefix is empty.
func wholeEngine(t *testing.T, e engine.Engine) (pairs []engine.KeyValue) {
	t.Helper()
	storetest.OK(t, engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
		page, err := tr.Snapshot().GetRange(engine.Range{Begin: []byte{}, End: []byte{0xff}}, engine.RangeOptions{}).Get()
		pairs = page.KeyValues
		return err
	}))
	return pairs
}

// versionMap maps versions of the embedded engine, which are microseconds since 1970,
// to small ones. A new FoundationDB is still at low versions, and a store whose events
// lie ahead of it does not open.
type versionMap map[uint64]uint64

// smallVersions numbers the versions from first to last that occur in pairs, in their
// order. A version is 8 bytes wherever it occurs, and other bytes will not look like a
// moment in the same few seconds. Each gets its own quantum of 16 versions, as it does
// from the embedded engine.
func smallVersions(t *testing.T, first, last int64, pairs []engine.KeyValue) versionMap {
	t.Helper()
	found := make(versionMap)
	for _, kv := range pairs {
		for _, b := range [][]byte{kv.Key, kv.Value} {
			for ; len(b) >= 8; b = b[1:] {
				if v := binary.BigEndian.Uint64(b); v >= uint64(first) && v <= uint64(last) {
					found[v] = 0
				}
			}
		}
	}
	for i, v := range slices.Sorted(maps.Keys(found)) {
		found[v] = uint64(16 * (i + 1))
	}
	t.Logf("%d versions in %d keys", len(found), len(pairs))
	return found
}

// replace returns a copy of b with small versions.
func (m versionMap) replace(b []byte) []byte {
	out := bytes.Clone(b)
	for i := 0; i+8 <= len(b); i++ {
		if v, ok := m[binary.BigEndian.Uint64(b[i:])]; ok {
			binary.BigEndian.PutUint64(out[i:], v)
		}
	}
	return out
}
