package fdblayer_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"pgregory.net/rapid"
)

func (m *machine) append(t *rapid.T) {
	a := m.drawAppend(t)
	got, err := m.store.Append(m.ctx, a.Stream, a.Expected, a.Events...)
	m.wantAppended(t, nil, []fdbevents.StreamAppend{a}, []fdbevents.AppendResult{got}, err)
}

// appendAgain appends events that are stored already, or nearly the same ones.
func (m *machine) appendAgain(t *rapid.T) {
	a := m.drawRepeat(t)
	got, err := m.store.Append(m.ctx, a.Stream, a.Expected, a.Events...)
	m.wantAppended(t, nil, []fdbevents.StreamAppend{a}, []fdbevents.AppendResult{got}, err)
}

func (m *machine) appendMany(t *rapid.T) {
	appends := m.drawAppends(t, 1)
	got, err := m.store.AppendMany(m.ctx, appends...)
	m.wantAppended(t, nil, appends, got, err)
}

func (m *machine) appendIf(t *rapid.T) {
	condition, appends := m.drawCondition(t), m.drawAppends(t, 1)
	got, err := m.store.AppendIf(m.ctx, *condition, appends...)
	m.wantAppended(t, condition, appends, got, err)
}

func (m *machine) wantAppended(t *rapid.T, condition *fdbevents.Condition, appends []fdbevents.StreamAppend, got []fdbevents.AppendResult, err error) {
	t.Helper()
	want, wantErr := m.model.append(condition, appends, nil)
	wantError(t, "appending", err, wantErr)
	if err == nil {
		m.wantResults(t, got, want)
	}
}

// wantResults compares results. Their positions wait until the log is read.
func (m *machine) wantResults(t *rapid.T, got []fdbevents.AppendResult, want []modelResult) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d results, want %d", len(got), len(want))
	}
	for i := range got {
		m.placed = append(m.placed, modelResult{AppendResult: got[i], last: want[i].last})
		if !sameResult(got[i], want[i]) {
			t.Errorf("result %d: got %+v, want %+v", i, got[i], want[i].AppendResult)
		}
	}
}

// sameResult compares everything but positions.
func sameResult(got fdbevents.AppendResult, want modelResult) bool {
	got.Position = want.Position
	return got == want.AppendResult
}

// appendSideBySide has several appends under way, which share a few transactions. Only
// appends to the same stream keep the caller's order.
func (m *machine) appendSideBySide(t *rapid.T) {
	appends := m.drawAppends(t, 2)
	pending := make([]*fdblayer.PendingAppend, len(appends))
	for i, a := range appends {
		var err error
		pending[i], err = m.store.AppendAsync(m.ctx, a.Stream, a.Expected, a.Events...)
		wantError(t, "beginning to append", err, nil)
	}
	before := len(m.model.log)
	for i := range appends {
		got, err := pending[i].Wait()
		m.wantAppended(t, nil, appends[i:i+1], []fdbevents.AppendResult{got}, err)
	}
	// The results give the order between streams.
	placed := slices.Clone(m.placed)
	slices.SortStableFunc(placed, func(a, b modelResult) int { return a.Position.Compare(b.Position) })
	m.model.log = m.model.log[:before]
	for _, r := range placed {
		if !r.Repeat {
			m.model.log = append(m.model.log, m.model.streams[r.Stream].events[r.FirstRevision:r.LastRevision+1]...)
		}
	}
}

// transactStep is one thing to do in a transaction, to the store and to the model.
type transactStep struct {
	what  string
	store func(tx *fdblayer.Tx) ([]fdbevents.AppendResult, error)
	// own holds the events that the transaction has appended to the model so far.
	model func(try *model, own []*modelEvent) ([]modelResult, error)
}

// transact does several things in one transaction, which ends with the first error or
// carries on regardless, and may fail at its end.
func (m *machine) transact(t *rapid.T) {
	steps := make([]transactStep, rapid.IntRange(1, 5).Draw(t, "steps"))
	for i := range steps {
		steps[i] = m.drawStep(t)
	}
	goOn := rapid.Bool().Draw(t, "goes on after an error")
	var end error
	if rarely(t, "fails at its end", 4) {
		end = errors.New("changed my mind")
	}

	try := m.model.clone()
	var want []modelResult
	wantErrs := make([]error, len(steps))
	wantEnd := end
	for i, step := range steps {
		var results []modelResult
		results, wantErrs[i] = step.model(try, try.log[len(m.model.log):])
		if want = append(want, results...); wantErrs[i] != nil && !goOn {
			wantEnd = wantErrs[i]
			break
		}
	}

	var within []fdbevents.AppendResult
	errs := make([]error, len(steps))
	got, err := m.store.Transact(m.ctx, func(tx *fdblayer.Tx) error {
		within = nil
		for i, step := range steps {
			var results []fdbevents.AppendResult
			results, errs[i] = step.store(tx)
			if within = append(within, results...); errs[i] != nil && !goOn {
				return errs[i]
			}
		}
		return end
	})
	wantError(t, "the transaction", err, wantEnd)
	for i, step := range steps {
		// A condition broken by an event of its own transaction gets its message only
		// at the end.
		if wantErrs[i] != errOwnEvent || errs[i] == nil {
			wantError(t, "in the transaction, "+step.what, errs[i], wantErrs[i])
		}
	}
	if len(within) != len(want) {
		t.Fatalf("got %d results in the transaction, want %d", len(within), len(want))
	}
	for i := range within {
		if !sameResult(within[i], want[i]) {
			t.Errorf("in the transaction, result %d: got %+v, want %+v", i, within[i], want[i].AppendResult)
		}
	}
	if err == nil {
		m.wantResults(t, got, want)
		m.model = try
	}
}

func (m *machine) drawStep(t *rapid.T) transactStep {
	switch what := oneOf(t, "step", []string{"append", "append", "append if", "append if", "write data", "change a stream", "remove a stream", "read"}); what {
	case "append":
		a := m.drawAppend(t)
		return transactStep{what: what, store: func(tx *fdblayer.Tx) ([]fdbevents.AppendResult, error) {
			r, err := tx.Append(a.Stream, a.Expected, a.Events...)
			return results(r, err)
		}, model: func(try *model, _ []*modelEvent) ([]modelResult, error) {
			return try.append(nil, []fdbevents.StreamAppend{a}, nil)
		}}
	case "append if":
		condition, appends := m.drawCondition(t), m.drawAppends(t, 1)
		return transactStep{what: what, store: func(tx *fdblayer.Tx) ([]fdbevents.AppendResult, error) {
			return tx.AppendIf(*condition, appends...)
		}, model: func(try *model, own []*modelEvent) ([]modelResult, error) {
			return try.append(condition, appends, own)
		}}
	case "write data":
		key := oneOf(t, "key", []string{"k", "l"})
		n := rapid.Int64Range(0, 3).Draw(t, "add")
		return transactStep{what: what, store: func(tx *fdblayer.Tx) ([]fdbevents.AppendResult, error) {
			data := tx.Data("model")
			if n == 0 {
				data.Clear([]byte(key))
			} else {
				data.Add([]byte(key), n)
			}
			return nil, nil
		}, model: func(try *model, _ []*modelEvent) ([]modelResult, error) {
			if n == 0 {
				delete(try.data, key)
			} else {
				old := make([]byte, 8)
				copy(old, try.data[key])
				try.data[key] = string(binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(old)+uint64(n)))
			}
			return nil, nil
		}}
	case "change a stream":
		return change(what, m.drawChange(t))
	case "remove a stream":
		return change(what, m.drawRemoval(t))
	}
	stream := drawStream(t)
	from := m.drawRevision(t, stream)
	stored, wantErr := m.model.followStream(stream, -1, fdblayer.ReadOptions{})
	return transactStep{what: "reading " + stream, store: func(tx *fdblayer.Tx) ([]fdbevents.AppendResult, error) {
		got, err := drain(tx.ReadStream(stream, from))
		if err == nil {
			wantEvents(t, "in a transaction, stream "+stream, got, choosePointers(stored, func(ev *modelEvent) bool { return ev.Revision >= from }))
		}
		return nil, err
	}, model: func(*model, []*modelEvent) ([]modelResult, error) { return nil, wantErr }}
}

func results(r fdbevents.AppendResult, err error) ([]fdbevents.AppendResult, error) {
	if err != nil {
		return nil, err
	}
	return []fdbevents.AppendResult{r}, nil
}

func choosePointers(events []*modelEvent, f func(*modelEvent) bool) (out []*modelEvent) {
	for _, ev := range events {
		if f(ev) {
			out = append(out, ev)
		}
	}
	return out
}

// headChange changes what is stored of a stream apart from its events.
type headChange struct {
	store func(tx *fdblayer.Tx) error
	model func(try *model) error
}

func change(what string, c headChange) transactStep {
	return transactStep{what: what, store: func(tx *fdblayer.Tx) ([]fdbevents.AppendResult, error) {
		return nil, c.store(tx)
	}, model: func(try *model, _ []*modelEvent) ([]modelResult, error) {
		return nil, c.model(try)
	}}
}

func (m *machine) drawChange(t *rapid.T) headChange {
	stream := drawStream(t)
	if rapid.Bool().Draw(t, "max count") {
		n := rapid.Int64Range(-1, 4).Draw(t, "max count")
		return headChange{
			store: func(tx *fdblayer.Tx) error { return tx.SetRetention(stream, fdblayer.Retention{MaxCount: n}) },
			model: func(try *model) error { return try.setMaxCount(stream, n) },
		}
	}
	before := m.drawRevision(t, stream)
	return headChange{
		store: func(tx *fdblayer.Tx) error { return tx.Truncate(stream, before) },
		model: func(try *model) error { return try.truncate(stream, before) },
	}
}

func (m *machine) drawRemoval(t *rapid.T) headChange {
	stream := drawStream(t)
	expected := m.drawExpected(t, stream)
	if rarely(t, "forever", 8) {
		return headChange{
			store: func(tx *fdblayer.Tx) error { return tx.Tombstone(stream, expected) },
			model: func(try *model) error { return try.tombstone(stream, expected) },
		}
	}
	return headChange{
		store: func(tx *fdblayer.Tx) error { return tx.Delete(stream, expected) },
		model: func(try *model) error { return try.delete(stream, expected) },
	}
}

func (m *machine) changeStream(t *rapid.T) {
	stream := drawStream(t)
	switch oneOf(t, "change", []string{"truncate", "max count", "metadata"}) {
	case "truncate":
		before := m.drawRevision(t, stream)
		wantError(t, "truncating", m.store.Truncate(m.ctx, stream, before), m.model.truncate(stream, before))
	case "max count":
		n := rapid.Int64Range(-1, 4).Draw(t, "max count")
		wantError(t, "setting retention", m.store.SetRetention(m.ctx, stream, fdblayer.Retention{MaxCount: n}), m.model.setMaxCount(stream, n))
	case "metadata":
		metadata := []byte(strings.Repeat("m", rapid.IntRange(0, 2).Draw(t, "metadata")))
		wantError(t, "setting metadata", m.store.SetStreamMetadata(m.ctx, stream, metadata), m.model.setMetadata(stream, metadata))
	}
}

func (m *machine) removeStream(t *rapid.T) {
	stream := drawStream(t)
	expected := m.drawExpected(t, stream)
	if rarely(t, "forever", 8) {
		wantError(t, "deleting forever", m.store.Tombstone(m.ctx, stream, expected), m.model.tombstone(stream, expected))
	} else {
		wantError(t, "deleting", m.store.Delete(m.ctx, stream, expected), m.model.delete(stream, expected))
	}
}

func (m *machine) scavenge(t *rapid.T) {
	got, err := m.store.Scavenge(m.ctx, fdblayer.ScavengeOptions{})
	wantError(t, "scavenging", err, nil)
	want := m.model.scavenge()
	if m.flaky && got.Events < want.Events {
		got.Events = want.Events // the report leaves out what an unknown commit removed
	}
	if got != want {
		t.Errorf("scavenge: got %+v, want %+v", got, want)
	}
	m.check(t)
}

func (m *machine) erase(t *rapid.T) {
	id := nameID(0) // no event has it
	if n := len(m.model.log); n > 0 && !rarely(t, "unknown", 10) {
		id = m.model.log[rapid.IntRange(0, n-1).Draw(t, "event")].ID
	}
	got, err := m.store.Erase(m.ctx, id)
	want, wantErr := m.model.erase(id)
	wantError(t, "erasing", err, wantErr)
	wantEvents(t, "erased", got, want)
}

// changeIndexes makes reads and conditions take other ways to the same result.
func (m *machine) changeIndexes(t *rapid.T) {
	name := oneOf(t, "index", modelIndexes)
	if rapid.Bool().Draw(t, "drop") {
		wantError(t, "dropping an index", m.store.DropIndex(m.ctx, name), nil)
		m.model.indexes = slices.DeleteFunc(m.model.indexes, func(have string) bool { return have == name })
		return
	}
	wantError(t, "creating an index", m.store.CreateIndex(m.ctx, name, nil), nil)
	if !slices.Contains(m.model.indexes, name) {
		m.model.indexes = append(m.model.indexes, name)
	}
}
