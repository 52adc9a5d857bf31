package fdblayer_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
	"github.com/fdbevents/fdbevents/tuple"
	"github.com/google/uuid"
)

// A store of format 2 that holds one of everything: its keys and values, and what the
// API returns for them. goldenwrite_test.go wrote both files. They stay as they are for
// as long as format 2 can be opened: a build that moves a byte must fail here, and not
// on somebody's store.
const (
	goldenKeys = "testdata/format2.jsonl.gz"
	goldenText = "testdata/format2.txt"
)

// goldenPair is a line of goldenKeys: a key, without the engine's prefix, and its
// value, both in hex.
type goldenPair struct{ Key, Value string }

// TestStoreOfFormat2 opens a store that an earlier build wrote, compares everything
// that can be read from it, and goes on using it.
func TestStoreOfFormat2(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, e engine.Engine) {
		s := openGolden(t, e)
		compareGolden(t, s)
		totals := readView(t, s, "totals")
		appendToGolden(t, s)
		refuseGolden(t, s)
		followGolden(t, s)
		storetest.OK(t, s.CreateIndex(t.Context(), fdbevents.IndexCategory, nil))
		for _, i := range goldenIndexes(t, s) {
			if !i.Ready {
				t.Errorf("index %q is not ready", i.Name)
			}
		}
		projectGolden(t, s, totals)
		scavengeGolden(t, s)
		storetest.CheckStore(t, s)
	})
}

// TestStoreOfFormat2Groups goes on using that store's consumer groups, on engines that
// do not leave it open whether a message was settled.
func TestStoreOfFormat2Groups(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, e engine.Engine) {
		ctx := t.Context()
		s := openGolden(t, e)
		mails, err := groups.Lookup(ctx, s, "mails")
		storetest.OK(t, err)
		m := storetest.Join(t, mails) // its earlier member left without a word
		deliverGolden(t, m, goldenUnsettled)
		if i := storetest.GroupInfo(t, mails); i.Lag().N != 0 || i.Parked().N != 3 || len(i.Members) != 1 {
			t.Errorf("after everything is settled: got %+v, want no lag, 3 parked and 1 member", i)
		}
		// The event of one of the three was scavenged, so there is nothing to deliver.
		if n, err := mails.Replay(ctx); err != nil || n != 3 {
			t.Errorf("replay: got %d, %v, want 3", n, err)
		}
		deliverGolden(t, m, []string{"order-6@0 attempt 1 replayed", "order-9@0 attempt 1 replayed"})

		bills, err := groups.Lookup(ctx, s, "bills")
		storetest.OK(t, err)
		storetest.OK(t, bills.Resume(ctx))
		deliverGolden(t, storetest.Join(t, bills), []string{"order-4@2 attempt 1", "order-6@2 attempt 1", "order-8@2 attempt 1"})

		late, err := groups.Lookup(ctx, s, "late")
		storetest.OK(t, err)
		if i := storetest.GroupInfo(t, late); i.Lag().N != 0 {
			t.Errorf("late: got lag %v, want 0", i.Lag())
		}
		storetest.MustAppend(t, s, "order-1", 2, storetest.Event("late"))
		want := []string{"order-1@3 attempt 1"}
		deliverGolden(t, storetest.Join(t, late), want)
		deliverGolden(t, m, want)
		storetest.CheckStore(t, s)
	})
}

// goldenUnsettled lists the messages that the members of the group "mails" have yet to
// settle.
var goldenUnsettled = []string{
	"order-0@2 attempt 1",
	"order-1@0 attempt 1", "order-1@1 attempt 1", "order-1@2 attempt 1",
	"order-2@0 attempt 2", "order-2@1 attempt 1", "order-2@2 attempt 1",
	"order-3@0 attempt 1 replayed", "order-3@1 attempt 1", "order-3@2 attempt 1",
	"order-4@0 attempt 2 replayed",
	"order-5@1 attempt 1", "order-5@2 attempt 1",
	"order-6@1 attempt 1", "order-6@2 attempt 1",
	"order-7@1 attempt 1", "order-7@2 attempt 1",
	"order-9@1 attempt 1", "order-9@2 attempt 1",
}

// deliverGolden takes messages, which may come in any order, and acknowledges them.
func deliverGolden(t *testing.T, m *groups.Member, want []string) {
	t.Helper()
	var got []string
	for range want {
		msg := storetest.NextMessage(t, m)
		got = append(got, label(msg))
		storetest.Ack(t, msg)
	}
	slices.Sort(got)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		t.Errorf("got messages %q, want %q", got, want)
	}
}

// label names a message's event and its attempt.
func label(msg *groups.Message) string {
	text := fmt.Sprintf("%s attempt %d", storetest.Place(&msg.Event), msg.Attempt)
	if msg.Replayed {
		text += " replayed"
	}
	return text
}

// openGolden writes the store to an empty engine, and opens it.
func openGolden(t *testing.T, e engine.Engine) *fdblayer.Store {
	t.Helper()
	pairs := readGolden(t)
	err := engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
		for _, kv := range pairs {
			tr.Set(slices.Concat(e.Prefix(), kv.Key), kv.Value)
		}
		return nil
	})
	storetest.OK(t, err)
	return storetest.OpenStore(t, e, fdblayer.Options{})
}

func readGolden(t *testing.T) (pairs []engine.KeyValue) {
	t.Helper()
	f, err := os.Open(goldenKeys)
	storetest.OK(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	storetest.OK(t, err)
	for d := json.NewDecoder(z); d.More(); {
		var pair goldenPair
		storetest.OK(t, d.Decode(&pair))
		key, err := hex.DecodeString(pair.Key)
		storetest.OK(t, err)
		value, err := hex.DecodeString(pair.Value)
		storetest.OK(t, err)
		pairs = append(pairs, engine.KeyValue{Key: key, Value: value})
	}
	return pairs
}

// compareGolden compares what can be read from the store with what could be read when
// it was written.
func compareGolden(t *testing.T, s *fdblayer.Store) {
	t.Helper()
	f, err := os.Open(goldenText)
	storetest.OK(t, err)
	defer f.Close()
	var want []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		want = append(want, lines.Text())
	}
	got := append(goldenKinds(t, readGolden(t)), goldenLines(t, s)...)
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("line %d is missing: %s", i+1, want[i])
		case i >= len(want):
			t.Errorf("line %d is unexpected: %s", i+1, got[i])
		case got[i] != want[i]:
			t.Errorf("line %d: got\n%s, want\n%s", i+1, got[i], want[i])
		default:
			continue
		}
		return // the lines that follow may only be shifted
	}
}

// goldenKinds counts the keys of each kind, to show that the store has one of
// everything.
func goldenKinds(t *testing.T, pairs []engine.KeyValue) (lines []string) {
	t.Helper()
	count := make(map[string]int)
	for _, kv := range pairs {
		kind, err := goldenKind(kv.Key)
		storetest.OK(t, err)
		count[kind]++
	}
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		lines = append(lines, fmt.Sprintf("keys %s: %d", kind, count[kind]))
	}
	return lines
}

// goldenKind returns the number of a key's subspace and, where it applies, the long
// task or the part of a consumer group that the key belongs to.
func goldenKind(key []byte) (string, error) {
	space, rest, err := tuple.ReadInt(key)
	kind := fmt.Sprintf("%02d", space)
	if err != nil || len(rest) == 0 || space != 0 && space != 9 {
		return kind, err
	}
	name, rest, err := tuple.ReadString(rest)
	if err != nil || space == 0 {
		return kind + " " + name, err
	}
	part, _, err := tuple.ReadInt(rest)
	return fmt.Sprintf("%s … %d", kind, part), err
}

// goldenLines describes all that the API returns about the store, in lines that people
// can compare.
func goldenLines(t *testing.T, s *fdblayer.Store) (lines []string) {
	t.Helper()
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	stats := s.Stats()
	add("store %s, partitions %d, inline limit %d", stats.StoreID, stats.Partitions, stats.InlineLimit)
	report := storetest.CheckStore(t, s)
	add("check: events %d, streams %d, ids %d, tags %d", report.Events, report.Streams, report.IDs, report.Tags)
	for _, i := range goldenIndexes(t, s) {
		add("index %s, ready %t", i.Name, i.Ready)
	}
	for _, ev := range goldenLog(t, s) {
		add("event %s position %s id %s type %q content type %q tags %q created %s data %s metadata %s erased %t",
			storetest.Place(&ev), ev.Position, ev.ID, ev.Type, ev.ContentType, ev.Tags, ev.Created.Format(time.RFC3339Nano), brief(ev.Data), brief(ev.Metadata), ev.Erased)
	}
	lines = append(lines, goldenStreams(t, s)...)
	for _, text := range []string{"tag=vip", "tag=vip tag=large", "type=placed", "type=paid,sent tag=vip or tag=chosen", "tag=\"" + longTag + "\""} {
		q, err := fdbevents.ParseQuery(text)
		storetest.OK(t, err)
		for _, prefix := range []string{"", "order-"} {
			var places []string
			f := fdbevents.InStreams(prefix)
			f.Query = q
			for _, ev := range storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{Filter: f})) {
				places = append(places, storetest.Place(&ev))
			}
			add("query %.30q in streams %q: %s", text, prefix, strings.Join(places, " "))
		}
	}
	for c, err := range s.Checkpoints(t.Context()) {
		storetest.OK(t, err)
		add("checkpoint %q position %s", c.Name, c.Position)
	}
	lines = append(lines, goldenProjections(t, s)...)
	for _, name := range []string{"prices", "stock", "none"} {
		page, err := goldenData(t, s, name)
		storetest.OK(t, err)
		for _, kv := range page.KeyValues {
			add("data %s: %s = %s", name, brief(kv.Key), brief(kv.Value))
		}
	}
	return append(lines, goldenGroups(t, s)...)
}

func goldenLog(t *testing.T, s *fdblayer.Store) []fdbevents.Event {
	t.Helper()
	return storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{}))
}

func goldenIndexes(t *testing.T, s *fdblayer.Store) []fdblayer.IndexInfo {
	t.Helper()
	all, err := s.Indexes(t.Context())
	storetest.OK(t, err)
	return all
}

func goldenData(t *testing.T, s *fdblayer.Store, name string) (page engine.Page, err error) {
	t.Helper()
	_, err = s.Transact(t.Context(), func(tx *fdblayer.Tx) (err error) {
		page, err = tx.Data(name).GetRange(engine.Range{}, engine.RangeOptions{})
		return err
	})
	return page, err
}

// goldenStreams describes all streams. It only counts the thousand accounts, which
// differ by a number: they are there to make a scavenge store its place.
func goldenStreams(t *testing.T, s *fdblayer.Store) (lines []string) {
	t.Helper()
	accounts := 0
	for i, err := range s.Streams(t.Context(), "") {
		storetest.OK(t, err)
		if strings.HasPrefix(i.Stream, "account-") {
			if want := account(accounts); i.Stream != want.Stream || i.Retention != want.Retention {
				t.Errorf("got stream %+v, want the name and retention of %+v", i, want)
			}
			accounts++
			continue
		}
		alone, err := s.Stream(t.Context(), i.Stream)
		storetest.OK(t, err)
		if fmt.Sprint(alone) != fmt.Sprint(i) {
			t.Errorf("got stream %+v, but %+v in the list", alone, i)
		}
		lines = append(lines, fmt.Sprintf("stream %s last %d truncated before %d max age %s max count %d deleted %t tombstoned %t metadata %s, read: %s",
			i.Stream, i.LastRevision, i.TruncateBefore, i.Retention.MaxAge, i.Retention.MaxCount, i.Deleted, i.Tombstoned, brief(i.Metadata),
			revisions(t, s, i.Stream, fdblayer.ReadOptions{})))
	}
	return append(lines, fmt.Sprintf("accounts %d", accounts))
}

// account returns the nth account: a stream with a retention and no events.
func account(n int) fdblayer.StreamInfo {
	return fdblayer.StreamInfo{Stream: fmt.Sprintf("account-%03d", n), Retention: fdblayer.Retention{MaxCount: int64(1 + n%3)}}
}

func goldenProjections(t *testing.T, s *fdblayer.Store) (lines []string) {
	t.Helper()
	for p, err := range s.Projections(t.Context()) {
		storetest.OK(t, err)
		lines = append(lines, fmt.Sprintf("projection %s generation %d position %s, rebuilding %t generation %d position %s",
			p.Name, p.Generation, p.Position, p.Rebuilding, p.NextGeneration, p.NextPosition))
		view := readView(t, s, p.Name)
		for _, key := range slices.Sorted(maps.Keys(view)) {
			lines = append(lines, fmt.Sprintf("view %s: %s = %s", p.Name, key, brief([]byte(view[key]))))
		}
	}
	return lines
}

func goldenGroups(t *testing.T, s *fdblayer.Store) (lines []string) {
	t.Helper()
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for i, err := range groups.List(t.Context(), s) {
		storetest.OK(t, err)
		o := i.Options
		add("group %s prefix %q query %q from %s message timeout %s retries %d lease time %s paused %t members %s",
			i.Name, strings.Join(o.Filter.StreamPrefixes, ","), o.Filter.Query, o.From, o.MessageTimeout, o.MaxRetries, o.LeaseTime, i.Paused, i.Members)
		for n, p := range i.Partitions {
			add("group %s partition %d owner %s epoch %d checkpoint %s ahead %d retrying %d lag %s parked %s replaying %s",
				i.Name, n, p.Owner, p.Epoch, p.Checkpoint, p.Ahead, p.Retrying, p.Lag, p.Parked, p.Replaying)
		}
		g, err := groups.Lookup(t.Context(), s, i.Name)
		storetest.OK(t, err)
		for p, err := range g.Parked(t.Context()) {
			storetest.OK(t, err)
			add("group %s parked %s position %s id %s attempts %d reason %q time %s",
				i.Name, storetest.Place(&p.Event), p.Event.Position, p.Event.ID, p.Attempts, p.Reason, p.Time.Format(time.RFC3339Nano))
		}
	}
	return lines
}

// brief returns bytes as text or in hex, or their number and hash if they are many.
func brief(b []byte) string {
	if len(b) <= 100 && utf8.Valid(b) {
		return fmt.Sprintf("%q", b)
	}
	if len(b) <= 20 {
		return fmt.Sprintf("%x", b)
	}
	return fmt.Sprintf("(%d bytes, SHA-256 %.8x)", len(b), sha256.Sum256(b))
}

// goldenEvents are events in the store that the test appends again.
var goldenEvents = map[string]fdbevents.EventData{
	"small": {
		ID: goldenID("small"), Type: "counted", ContentType: "application/json", Tags: []string{"chosen", "größe"},
		Created: goldenTime, Data: []byte(`{"pieces":7}`), Metadata: []byte(`{"by":"Zoë"}`),
	},
	"medium": {ID: goldenID("medium"), Type: "counted", Tags: []string{"chosen", longTag}, Created: goldenTime, Data: textOf(5_000)},
	"large":  {ID: goldenID("large"), Type: "listed", ContentType: "text/plain", Tags: []string{"large", "vip"}, Created: goldenTime, Data: textOf(200_000), Metadata: textOf(3_000)},
	"secret": {ID: goldenID("secret"), Type: "named", Tags: []string{"vip"}, Created: goldenTime, Data: []byte("a name"), Metadata: []byte("an address")},
	"novel":  {ID: goldenID("novel"), Type: "named", Tags: []string{"large"}, Created: goldenTime, Data: textOf(150_000)},
	"cut":    {ID: goldenID("cut"), Type: "noted", Tags: []string{"vip"}, Created: goldenTime},
}

var (
	goldenTime = time.Date(2024, 2, 29, 12, 30, 15, 123456789, time.UTC)
	longTag    = strings.Repeat("longest tag ", 21) + "end." // 256 bytes
)

func goldenID(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, []byte("golden "+name)) }

// textOf returns n bytes that compress well.
func textOf(n int) []byte { return bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n] }

// appendToGolden appends to streams in every state: repeats, and new events.
func appendToGolden(t *testing.T, s *fdblayer.Store) {
	t.Helper()
	for _, a := range []struct {
		stream   string
		expected fdbevents.ExpectedRevision
		revision int64
		repeats  string
	}{
		{"stock-1", fdbevents.NoStream, 0, "small"},
		{"stock-1", fdbevents.Any, 1, "medium"},
		{"stock-1", 0, 2, "large"},
		{"stock-1", fdbevents.StreamExists, 3, "secret"}, // erased
		{"copy-1", fdbevents.NoStream, 0, "secret"},      // erased as well
		{"stock-1", fdbevents.Any, 4, "novel"},           // erased
		{"cut-1", fdbevents.Any, 0, "cut"},               // scavenged
		{"cut-2", fdbevents.Any, 0, "cut"},               // hidden
		{"stock-1", 6, 7, ""},
		{"order-2", 2, 3, ""},
		{"order-9", fdbevents.StreamExists, 3, ""},
		{"kept-2", 3, 4, ""},
		{"aged-1", 2, 3, ""},
		{"cut-1", 3, 4, ""},
		{"cut-2", 2, 3, ""},
		{"gone-1", fdbevents.NoStream, 2, ""},
		{"back-1", 2, 3, ""},
		{"import-1", 6, 7, ""},
		{"noted-1", fdbevents.NoStream, 0, ""},
		{"größe-1", 0, 1, ""},
		{"account-007", fdbevents.NoStream, 0, ""},
		{"new-1", fdbevents.NoStream, 0, ""},
	} {
		ev := fdbevents.EventData{Type: "further", Tags: []string{"vip"}, Data: textOf(100_000)}
		if a.repeats != "" {
			ev = goldenEvents[a.repeats]
		}
		got := storetest.MustAppend(t, s, a.stream, a.expected, ev)
		if got.LastRevision != a.revision || got.Repeat != (a.repeats != "") {
			t.Errorf("%s: got %+v, want revision %d", a.stream, got, a.revision)
		}
		if !got.Repeat {
			read := storetest.Collect(t, s.ReadStream(t.Context(), a.stream, a.revision, fdblayer.ReadOptions{}))
			if len(read) != 1 || read[0].Position != got.Position || !bytes.Equal(read[0].Data, ev.Data) {
				t.Errorf("%s: the event that is read is not the one that was appended", a.stream)
			}
		}
	}
	for stream, want := range map[string]string{"kept-2": "3 4", "aged-1": "1 2 3", "cut-1": "2 3 4", "cut-2": "2 3", "gone-1": "2", "back-1": "2 3", "import-1": "5 6 7"} {
		if got := revisions(t, s, stream, fdblayer.ReadOptions{}); got != want {
			t.Errorf("%s: got revisions %s, want %s", stream, got, want)
		}
	}
}

// refuseGolden checks what the store must refuse.
func refuseGolden(t *testing.T, s *fdblayer.Store) {
	t.Helper()
	ctx := t.Context()
	var wrong *fdbevents.WrongExpectedRevisionError
	for stream, actual := range map[string]int64{"order-1": 2, "gone-2": 1, "noted-1": 0, "import-1": 7} {
		if _, err := s.Append(ctx, stream, 5, storetest.Event("stale")); !errors.As(err, &wrong) || wrong.Actual != actual {
			t.Errorf("%s: got %v, want a WrongExpectedRevisionError", stream, err)
		}
	}
	for _, stream := range []string{"dead-1", "dead-2", "dead-3"} {
		if _, err := s.Append(ctx, stream, fdbevents.Any, storetest.Event("late")); !errors.Is(err, fdbevents.ErrStreamDeleted) {
			t.Errorf("%s: got %v, want ErrStreamDeleted", stream, err)
		}
	}
	other := goldenEvents["large"]
	other.Data = textOf(200_001)
	var conflict *fdbevents.IDConflictError
	if _, err := s.Append(ctx, "stock-1", fdbevents.Any, other); !errors.As(err, &conflict) || conflict.Revision != 2 {
		t.Errorf("the id of another event: got %v, want an IDConflictError at revision 2", err)
	}
	chosen := storetest.Query(fdbevents.QueryItem{Tags: []string{"chosen"}})
	known := storetest.Collect(t, s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: chosen}}))
	condition := fdbevents.Condition{Query: chosen}
	var refused *fdbevents.ConditionError
	if _, err := s.AppendIf(ctx, condition, storetest.AppendTo("new-2", storetest.Event("x"))); !errors.As(err, &refused) || refused.Position != known[0].Position {
		t.Errorf("a condition that does not hold: got %v, want a ConditionError at the first event", err)
	}
	condition.After = known[len(known)-1].Position
	if _, err := s.AppendIf(ctx, condition, storetest.AppendTo("new-2", storetest.Event("x"))); err != nil {
		t.Errorf("a condition that holds: got %v, want success", err)
	}
}

// followGolden resumes from a checkpoint.
func followGolden(t *testing.T, s *fdblayer.Store) {
	t.Helper()
	at, err := s.Checkpoint(t.Context(), "reader")
	storetest.OK(t, err)
	log := goldenLog(t, s)
	i := slices.IndexFunc(log, func(ev fdbevents.Event) bool { return ev.Position == at })
	for ev, err := range s.SubscribeFrom(t.Context(), "reader", fdblayer.SubscribeOptions{}) {
		storetest.OK(t, err)
		if !sameEvent(ev, log[i+1]) {
			t.Errorf("after the checkpoint: got %s, want %s", storetest.Place(&ev), storetest.Place(&log[i+1]))
		}
		break
	}
}

// tally returns a handler whose view holds the number of events of each stream, and
// the last event.
func tally(name string) handler {
	return func(_ context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
		view, err := tx.View(name)
		if err != nil {
			return err
		}
		for i := range events {
			view.Add([]byte("stream "+events[i].Stream), 1)
			view.Set([]byte("last"), []byte(storetest.Place(&events[i])))
		}
		return nil
	}
}

// tallied returns a copy of tally's view with events added.
func tallied(view sums, events []fdbevents.Event) sums {
	out := maps.Clone(view)
	for i := range events {
		key := "stream " + events[i].Stream
		n := make([]byte, 8)
		copy(n, out[key])
		out[key] = string(binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(n)+1))
		out["last"] = storetest.Place(&events[i])
	}
	return out
}

// goldenRebuilt are the options of the projection "names", which is being rebuilt. The
// projection "totals" has the zero options.
var goldenRebuilt = fdblayer.ProjectOptions{Filter: fdbevents.InStreams("order-"), Generation: 2}

// projectGolden goes on with the projections, one of which already had a view. Each
// event counts once: those already in a view do not come again.
func projectGolden(t *testing.T, s *fdblayer.Store, totals sums) {
	t.Helper()
	log := goldenLog(t, s)
	p, err := s.Projection(t.Context(), "totals")
	storetest.OK(t, err)
	fresh := choose(log, func(ev fdbevents.Event) bool { return p.Position.Before(ev.Position) })
	if len(fresh) == 0 || len(fresh) == len(log) {
		t.Errorf("got %d of %d events left to project, want some but not all", len(fresh), len(log))
	}
	projectUntilCaughtUp(t, s, "totals", fdblayer.ProjectOptions{}, tally("totals"))
	sameView(t, "totals", readView(t, s, "totals"), tallied(totals, fresh))

	orders := choose(log, func(ev fdbevents.Event) bool { return goldenRebuilt.Filter.Matches(&ev) })
	projectUntilCaughtUp(t, s, "names", goldenRebuilt, tally("names"))
	sameView(t, "names", readView(t, s, "names"), tallied(sums{}, orders))
	if p, err = s.Projection(t.Context(), "names"); err != nil || p.Generation != goldenRebuilt.Generation || p.Rebuilding {
		t.Errorf("got %+v, %v, want the rebuilt generation", p, err)
	}
}

// scavengeGolden removes the events that were hidden but not removed, and those hidden
// since: the scavenge that was under way goes on.
func scavengeGolden(t *testing.T, s *fdblayer.Store) {
	t.Helper()
	before := goldenLog(t, s)
	streams := goldenStreams(t, s)
	report, err := s.Scavenge(t.Context(), fdblayer.ScavengeOptions{})
	storetest.OK(t, err)
	after := goldenLog(t, s)
	gone := choose(before, func(ev fdbevents.Event) bool {
		return !slices.ContainsFunc(after, func(other fdbevents.Event) bool { return other.Position == ev.Position })
	})
	var got []string
	for i := range gone {
		got = append(got, storetest.Place(&gone[i]))
	}
	slices.Sort(got)
	want := []string{"aged-1@0", "cut-2@0", "cut-2@1", "dead-2@0", "dead-2@1", "gone-2@0", "gone-2@1", "kept-2@0", "kept-2@1", "kept-2@2"}
	if !slices.Equal(got, want) || report.Events != int64(len(want)) {
		t.Errorf("got %d events scavenged, %q, want %q", report.Events, got, want)
	}
	if now := goldenStreams(t, s); len(now) != len(streams) {
		t.Errorf("got %d streams after the scavenge, want %d as before", len(now), len(streams))
	}
}
