package fdblayer_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/check"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
	"github.com/google/uuid"
)

// storeCalls returns a call of each exported method of a Store, and of the functions
// of check and groups that take one, with valid arguments.
func storeCalls(s *fdblayer.Store) map[string]func(ctx context.Context) error {
	id := storetest.EventWithID("e", "1").ID
	one := fdbevents.StreamAppend{Stream: "s", Expected: fdbevents.Any, Events: []fdbevents.EventData{storetest.Event("e")}}
	restored := fdbevents.Event{Stream: "r", ID: uuid.New(), Type: "e", ContentType: "text/plain", Created: time.Now()}
	return map[string]func(ctx context.Context) error{
		"Append": func(ctx context.Context) error {
			_, err := s.Append(ctx, "s", fdbevents.Any, storetest.Event("e"))
			return err
		},
		"AppendAsync": func(ctx context.Context) error {
			_, err := s.AppendAsync(ctx, "s", fdbevents.Any, storetest.Event("e"))
			return err
		},
		"AppendIf": func(ctx context.Context) error {
			q := fdbevents.Query{Items: []fdbevents.QueryItem{{Tags: []string{"t"}}}}
			_, err := s.AppendIf(ctx, fdbevents.Condition{Query: q}, one)
			return err
		},
		"AppendMany": func(ctx context.Context) error { _, err := s.AppendMany(ctx, one); return err },
		"Check": func(ctx context.Context) error {
			_, err := check.Run(ctx, s, check.Options{Repair: true})
			return err
		},
		"Checkpoint":       func(ctx context.Context) error { _, err := s.Checkpoint(ctx, "c"); return err },
		"Checkpoints":      func(ctx context.Context) error { return firstError(s.Checkpoints(ctx)) },
		"CreateIndex":      func(ctx context.Context) error { return s.CreateIndex(ctx, fdbevents.IndexType, nil) },
		"Delete":           func(ctx context.Context) error { return s.Delete(ctx, "s", fdbevents.Any) },
		"DeleteCheckpoint": func(ctx context.Context) error { return s.DeleteCheckpoint(ctx, "c") },
		"DeleteProjection": func(ctx context.Context) error { return s.DeleteProjection(ctx, "p") },
		"DropIndex":        func(ctx context.Context) error { return s.DropIndex(ctx, fdbevents.IndexType) },
		"Erase":            func(ctx context.Context) error { _, err := s.Erase(ctx, id); return err },
		"Group": func(ctx context.Context) error {
			_, err := groups.Open(ctx, s, "new", groups.Options{})
			return err
		},
		"Groups":      func(ctx context.Context) error { return firstError(groups.List(ctx, s)) },
		"Event":       func(ctx context.Context) error { _, err := s.Event(ctx, "s", 0); return err },
		"EventAt":     func(ctx context.Context) error { _, err := s.EventAt(ctx, fdbevents.Start); return err },
		"EventsByID":  func(ctx context.Context) error { _, err := s.EventsByID(ctx, id); return err },
		"Tail":        func(ctx context.Context) error { _, err := s.Tail(ctx); return err },
		"Indexes":     func(ctx context.Context) error { _, err := s.Indexes(ctx); return err },
		"OpenGroup":   func(ctx context.Context) error { _, err := groups.Lookup(ctx, s, "g"); return err },
		"Projection":  func(ctx context.Context) error { _, err := s.Projection(ctx, "p"); return err },
		"Projections": func(ctx context.Context) error { return firstError(s.Projections(ctx)) },
		"ReadAll": func(ctx context.Context) error {
			return firstError(s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{}))
		},
		"ReadStream": func(ctx context.Context) error { return firstError(s.ReadStream(ctx, "s", 0, fdblayer.ReadOptions{})) },
		"RestoreStreams": func(ctx context.Context) error {
			return s.RestoreStreams(ctx, []fdblayer.StreamInfo{{Stream: "r", LastRevision: -1}})
		},
		"Scavenge":          func(ctx context.Context) error { _, err := s.Scavenge(ctx, fdblayer.ScavengeOptions{}); return err },
		"SetCheckpoint":     func(ctx context.Context) error { return s.SetCheckpoint(ctx, "c", fdbevents.Start) },
		"SetRetention":      func(ctx context.Context) error { return s.SetRetention(ctx, "s", fdblayer.Retention{MaxCount: 1}) },
		"SetStreamMetadata": func(ctx context.Context) error { return s.SetStreamMetadata(ctx, "s", []byte("m")) },
		"Stream":            func(ctx context.Context) error { _, err := s.Stream(ctx, "s"); return err },
		"Streams":           func(ctx context.Context) error { return firstError(s.Streams(ctx, "")) },
		"Subscribe": func(ctx context.Context) error {
			return firstError(s.Subscribe(ctx, fdbevents.Start, fdblayer.SubscribeOptions{}))
		},
		"SubscribeFrom": func(ctx context.Context) error {
			return firstError(s.SubscribeFrom(ctx, "c", fdblayer.SubscribeOptions{}))
		},
		"SubscribeStream": func(ctx context.Context) error {
			return firstError(s.SubscribeStream(ctx, "s", -1, fdblayer.SubscribeOptions{}))
		},
		"Tombstone": func(ctx context.Context) error { return s.Tombstone(ctx, "s", fdbevents.Any) },
		"Truncate":  func(ctx context.Context) error { return s.Truncate(ctx, "s", 1) },
		"Restore": func(ctx context.Context) error {
			_, err := s.Restore(ctx, []fdbevents.Event{restored}, fdblayer.RestoreOptions{})
			return err
		},
		"Project": func(ctx context.Context) error {
			return s.Project(ctx, "p", fdblayer.ProjectOptions{}, func(context.Context, *fdblayer.Tx, []fdbevents.Event) error { return nil })
		},
		"Transact": func(ctx context.Context) error {
			_, err := s.Transact(ctx, func(tx *fdblayer.Tx) error { tx.Data("d").Set(nil, nil); return nil })
			return err
		},
	}
}

// groupCalls returns a call of each exported method of a Group that reaches the engine.
func groupCalls(g *groups.Group) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Delete": g.Delete,
		"Info":   func(ctx context.Context) error { _, err := g.Info(ctx); return err },
		"Join":   func(ctx context.Context) error { _, err := g.Join(ctx); return err },
		"Parked": func(ctx context.Context) error { return firstError(g.Parked(ctx)) },
		"Pause":  g.Pause,
		"Replay": func(ctx context.Context) error { _, err := g.Replay(ctx); return err },
		"Reset":  func(ctx context.Context) error { return g.Reset(ctx, fdbevents.Start) },
		"Resume": g.Resume,
	}
}

func firstError[T any](all iter.Seq2[T, error]) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// wantAllMethods fails the test when a method of x is neither in calls nor in without,
// which names the methods that need no engine.
func wantAllMethods(t *testing.T, x any, calls map[string]func(ctx context.Context) error, without ...string) {
	t.Helper()
	typ := reflect.TypeOf(x)
	for i := range typ.NumMethod() {
		if name := typ.Method(i).Name; calls[name] == nil && !slices.Contains(without, name) {
			t.Errorf("%s.%s is not called", typ, name)
		}
	}
}

// wantAllClosed makes every call, and checks that each says that the store is closed
// and that none changes anything.
func wantAllClosed(t *testing.T, e engine.Engine, s *fdblayer.Store, g *groups.Group) {
	t.Helper()
	before := dump(t, e)
	for _, calls := range []map[string]func(ctx context.Context) error{storeCalls(s), groupCalls(g)} {
		for _, name := range slices.Sorted(maps.Keys(calls)) {
			if err := calls[name](t.Context()); !errors.Is(err, fdbevents.ErrClosed) {
				t.Errorf("%s: got %v, want ErrClosed", name, err)
			}
		}
	}
	if after := dump(t, e); !maps.Equal(before, after) {
		t.Errorf("the calls changed the engine: %d keys before them, %d after", len(before), len(after))
	}
}

// dump returns all of an engine's keys with their values.
func dump(t *testing.T, e engine.Engine) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := engine.Read(t.Context(), e, func(tr engine.Transaction) error {
		prefix := e.Prefix()
		page, err := tr.GetRange(engine.Range{Begin: prefix, End: append(slices.Clone(prefix), 0xff)}, engine.RangeOptions{}).Get()
		for _, kv := range page.KeyValues {
			all[string(kv.Key)] = string(kv.Value)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNothingWorksAfterClose(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, e storetest.EngineT) {
		s, g := storeWithGroup(t, e)
		wantAllMethods(t, s, storeCalls(s), "Close", "Door", "Stats", "Subscriptions")
		wantAllMethods(t, g, groupCalls(g), "Name", "Options")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wantAllClosed(t, e, s, g)
		if err := s.Close(); !errors.Is(err, fdbevents.ErrClosed) {
			t.Errorf("second Close: got %v, want ErrClosed", err)
		}
	})
}

// TestNothingBeginsDuringClose holds Close up with an append whose commit hangs, and
// makes every call in the meantime.
func TestNothingBeginsDuringClose(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		e := storetest.NewFlakyEngine(inner, 1, 0)
		s, g := storeWithGroup(t, e)
		committing, release := make(chan struct{}), make(chan struct{})
		e.FailNext = func(tr *storetest.FlakyTransaction) error {
			close(committing)
			<-release
			e.FailNext = nil
			return tr.Transaction.Commit()
		}
		appended, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := s.Append(t.Context(), "s", fdbevents.Any, storetest.Event("late"))
			appended <- err
		}()
		<-committing
		go func() { closed <- s.Close() }()
		for begun := false; !begun; {
			_, err := s.Stream(t.Context(), "s")
			begun = errors.Is(err, fdbevents.ErrClosed)
		}
		wantAllClosed(t, inner, s, g)
		close(release)
		if err := <-appended; err != nil {
			t.Errorf("the append that Close waits for: got %v, want success", err)
		}
		if err := <-closed; err != nil {
			t.Errorf("Close: got %v, want success", err)
		}
	})
}

// storeWithGroup opens a store with a group. The test closes the store.
func storeWithGroup(t *testing.T, e engine.Engine) (*fdblayer.Store, *groups.Group) {
	t.Helper()
	s, err := fdblayer.Open(t.Context(), e, fdblayer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.EventWithID("e", "1"), storetest.Event("e"))
	g, err := groups.Open(t.Context(), s, "g", groups.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, g
}

// TestDoors checks that only the doors, the marker's commits, and Open and Close call
// the engine's retry loop.
func TestDoors(t *testing.T) {
	allowed := map[string]bool{"door.go": true, "marker.go": true, "store.go": true}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || allowed[name] {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok {
				x, ok := call.X.(*ast.Ident)
				if ok && x.Name == "engine" && (call.Sel.Name == "Run" || call.Sel.Name == "Read") || call.Sel.Name == "Begin" && isEngineField(call.X) {
					t.Errorf("%s calls %s: use view, update or watch", name, call.Sel.Name)
				}
			}
			return true
		})
	}
}

// isEngineField reports whether x selects a field named engine.
func isEngineField(x ast.Expr) bool {
	sel, ok := x.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "engine"
}
