package fdblayer_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

func TestTransactCommitsAppendsAndDataTogether(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		results, err := s.Transact(ctx, func(tx *fdblayer.Tx) error {
			view := tx.Data("totals")
			view.Set([]byte("a"), []byte("1"))
			if r, err := tx.Append("s", fdbevents.NoStream, storetest.Event("x"), storetest.Event("y")); err != nil || r.LastRevision != 1 {
				return fmt.Errorf("first append: got %+v, %w", r, err)
			}
			if r, err := tx.Append("s", 1, storetest.Event("z")); err != nil || r.LastRevision != 2 {
				return fmt.Errorf("second append: got %+v, %w", r, err)
			}
			if v, err := view.Get([]byte("a")); err != nil || string(v) != "1" {
				return fmt.Errorf("own write: got %q, %w", v, err)
			}
			return nil
		})
		if err != nil || len(results) != 2 {
			t.Fatalf("got %+v, %v, want 2 results", results, err)
		}
		events := storetest.Collect(t, s.ReadStream(ctx, "s", 0, fdblayer.ReadOptions{}))
		if len(events) != 3 || events[1].Position != results[0].Position || events[2].Position != results[1].Position {
			t.Errorf("got events %+v, want 3 at the positions in %+v", events, results)
		}

		own := errors.New("changed my mind")
		_, err = s.Transact(ctx, func(tx *fdblayer.Tx) error {
			tx.Data("totals").Set([]byte("a"), []byte("2"))
			if _, err := tx.Append("s", fdbevents.Any, storetest.Event("lost")); err != nil {
				return err
			}
			return own
		})
		if err != own {
			t.Errorf("got %v, want the function's own error", err)
		}
		if got := dataGet(t, s, "totals", "a"); string(got) != "1" {
			t.Errorf("got data %q, want 1", got)
		}
		if n := len(storetest.Collect(t, s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{}))); n != 3 {
			t.Errorf("got %d events, want 3", n)
		}
	})
}

func dataGet(t *testing.T, s *fdblayer.Store, name, key string) (value []byte) {
	t.Helper()
	_, err := s.Transact(t.Context(), func(tx *fdblayer.Tx) (err error) {
		value, err = tx.Data(name).Get([]byte(key))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestTransactReadsAndAppendsSerializably counts in a stream and in a key. Each writer
// reads before it writes: no update may be lost.
func TestTransactReadsAndAppendsSerializably(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		const writers, each = 6, 8
		var wg sync.WaitGroup
		for w := range writers {
			s := []*fdblayer.Store{a, b}[w%2]
			wg.Go(func() {
				for range each {
					_, err := s.Transact(t.Context(), func(tx *fdblayer.Tx) error {
						n := int64(0)
						for _, err := range tx.ReadStream("counter", 0) {
							if err != nil {
								return err
							}
							n++
						}
						view := tx.Data("counter")
						value, err := view.Get([]byte("n"))
						if err != nil {
							return err
						}
						if value != nil && int64(binary.LittleEndian.Uint64(value)) != n {
							return fmt.Errorf("got %d in the view, want %d as in the stream", binary.LittleEndian.Uint64(value), n)
						}
						view.Set([]byte("n"), binary.LittleEndian.AppendUint64(nil, uint64(n+1)))
						view.Add([]byte("sum"), n)
						_, err = tx.Append("counter", fdbevents.Any, storetest.Event(fmt.Sprint(n)))
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		const n = writers * each
		for i, ev := range storetest.Collect(t, a.ReadStream(t.Context(), "counter", 0, fdblayer.ReadOptions{})) {
			if ev.Type != fmt.Sprint(i) {
				t.Fatalf("event %[1]d: got number %[2]s, want %[1]d", i, ev.Type)
			}
		}
		if got := binary.LittleEndian.Uint64(dataGet(t, b, "counter", "n")); got != n {
			t.Errorf("got %d in the view, want %d", got, n)
		}
		if got := binary.LittleEndian.Uint64(dataGet(t, b, "counter", "sum")); got != n*(n-1)/2 {
			t.Errorf("got sum %d, want %d", got, n*(n-1)/2)
		}
	})
}

func TestTransactSeesItsOwnAppends(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		claimed := storetest.Query(fdbevents.QueryItem{Tags: []string{"name:x"}})
		_, err := s.Transact(ctx, func(tx *fdblayer.Tx) error {
			if _, err := tx.Append("a", fdbevents.NoStream, storetest.Tagged("claimed", "name:x")); err != nil {
				return err
			}
			_, err := tx.AppendIf(fdbevents.Condition{Query: claimed}, storetest.AppendTo("b", storetest.Event("e")))
			return err
		})
		if err == nil || err.Error() != "append condition failed: an event appended earlier in the same transaction matches the query" {
			t.Errorf("got %v, want the condition broken by the event appended before", err)
		}
		ev := storetest.EventWithID("e", "1")
		results, err := s.Transact(ctx, func(tx *fdblayer.Tx) error {
			if _, err := tx.Append("a", fdbevents.NoStream, ev); err != nil {
				return err
			}
			r, err := tx.Append("a", fdbevents.NoStream, ev)
			if err == nil && !r.Repeat {
				return errors.New("the second append is not a repeat")
			}
			return err
		})
		if err != nil || results[0].Position != results[1].Position {
			t.Errorf("got %+v, %v, want the same position twice", results, err)
		}
	})
}

func TestData(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		do := func(f func(a, b *fdblayer.Data) error) {
			t.Helper()
			if _, err := s.Transact(ctx, func(tx *fdblayer.Tx) error { return f(tx.Data("a"), tx.Data("a\x00b")) }); err != nil {
				t.Fatal(err)
			}
		}
		list := func(spaces ...*fdblayer.Data) (out string, err error) {
			for _, d := range spaces {
				p, err := d.GetRange(engine.Range{}, engine.RangeOptions{})
				if err != nil {
					return "", err
				}
				for _, kv := range p.KeyValues {
					out += fmt.Sprintf("%q=%s ", kv.Key, kv.Value)
				}
			}
			return out, nil
		}
		do(func(a, b *fdblayer.Data) error {
			for _, key := range []string{"", "k", "\x00", "\xff\xff"} {
				a.Set([]byte(key), []byte("a"))
				b.Set([]byte(key), []byte("b"))
			}
			return nil
		})
		do(func(a, b *fdblayer.Data) error {
			got, err := list(a)
			if want := `""=a "\x00"=a "k"=a "\xff\xff"=a `; err == nil && got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			a.Clear([]byte("k"))
			b.ClearRange(engine.Range{Begin: []byte("k")})
			return err
		})
		do(func(a, b *fdblayer.Data) error {
			got, err := list(a, b)
			if want := `""=a "\x00"=a "\xff\xff"=a ""=b "\x00"=b `; err == nil && got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			return err
		})
	})
}

func TestTransactLimits(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		_, err := s.Transact(t.Context(), func(tx *fdblayer.Tx) error {
			for range 2 {
				if _, err := tx.Append("s", fdbevents.Any, fdbevents.EventData{Type: "e", Data: make([]byte, 5<<20)}); err != nil {
					return err
				}
			}
			return nil
		})
		var limit *fdbevents.LimitError
		if !errors.As(err, &limit) || limit.What != "appends of a transaction, as stored" {
			t.Errorf("large events: got %v, want a LimitError for the transaction", err)
		}
		_, err = s.Transact(t.Context(), func(tx *fdblayer.Tx) error {
			for range fdbevents.MaxAppendEvents + 1 {
				if _, err := tx.Append("s", fdbevents.Any, storetest.Event("e")); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil || err.Error() != "events of a transaction: 4097 events, limit 4096" {
			t.Errorf("many events: got %v", err)
		}
	})
}
