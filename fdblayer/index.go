package fdblayer

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// indexSet is the set of a store's system indexes at some version. It is immutable.
type indexSet struct {
	// raw is the header from which the set was decoded.
	raw []byte
	all []layout.SystemIndex
}

// ready reports whether the index is complete, so that readers may use it.
func (x *indexSet) ready(name string) bool {
	return slices.Contains(x.all, layout.SystemIndex{Name: name, Ready: true})
}

// serves reports whether src can be read. A system index may have been dropped.
func (x *indexSet) serves(src source) bool {
	if !layout.IsSystemTag(src.tag) {
		return true
	}
	return slices.ContainsFunc(x.all, func(i layout.SystemIndex) bool {
		return i.Ready && strings.HasPrefix(src.tag, layout.SystemTagPrefix(i.Name))
	})
}

// tags appends the system tags of an event.
func (x *indexSet) tags(dst []string, stream, eventType string) []string {
	return layout.AppendSystemTags(dst, x.all, stream, eventType)
}

// readIndexes reads the present set of system indexes.
func (s *Store) readIndexes(r engine.Reader) (*indexSet, error) {
	raw, err := r.Get(s.keys.Header()).Get()
	if err != nil {
		return nil, fmt.Errorf("reading the store's header: %w", err)
	}
	return s.indexSet(raw)
}

// indexSet returns the set that a header describes, and decodes the header only if it
// is not the newest known one.
func (s *Store) indexSet(raw []byte) (*indexSet, error) {
	if known := s.indexes.Load(); known != nil && bytes.Equal(known.raw, raw) {
		return known, nil
	}
	if raw == nil {
		return nil, fmt.Errorf("%w: the store's header is gone", fdbevents.ErrCorrupt)
	}
	h, err := layout.DecodeHeader(raw)
	if err != nil {
		return nil, err
	}
	set := &indexSet{raw: raw, all: h.Indexes}
	s.indexes.Store(set)
	return set, nil
}

// IndexInfo describes a system index of the store.
type IndexInfo struct {
	Name string
	// Ready is false while the index is being built: readers do not use it yet.
	Ready bool
}

// Indexes returns the store's system indexes.
func (s *Store) Indexes(ctx context.Context) (all []IndexInfo, err error) {
	err = s.view(ctx, func(r Reader) error {
		set, err := s.readIndexes(r)
		if err != nil {
			return err
		}
		all = all[:0]
		for _, i := range set.all {
			all = append(all, IndexInfo{i.Name, i.Ready})
		}
		return nil
	})
	return all, err
}

func checkIndexName(name string) error {
	if name != fdbevents.IndexType && name != fdbevents.IndexCategory {
		return &fdbevents.InvalidError{What: "index", Value: name, Reason: "want " + fdbevents.IndexType + " or " + fdbevents.IndexCategory}
	}
	return nil
}

// changeIndexes replaces the store's system indexes. Every append reads the header, so
// appends under way conflict with the change and see it when they are run again. change
// returns false if there is nothing to do.
func (s *Store) changeIndexes(ctx context.Context, change func(tr engine.Transaction, all []layout.SystemIndex) ([]layout.SystemIndex, bool)) error {
	return s.update(ctx, func(tr engine.Transaction, _ error) error {
		set, err := s.readIndexes(tr)
		if err != nil {
			return err
		}
		all, changed := change(tr, slices.Clone(set.all))
		if changed {
			h := s.header
			h.Indexes = all
			tr.Set(s.keys.Header(), layout.AppendHeader(nil, h))
		}
		return nil
	})
}

// CreateIndex creates a system index, IndexType or IndexCategory, while others continue
// to append and read. Readers use it once it is complete. CreateIndex goes through the
// whole log in small transactions. If it is interrupted, the next call resumes where it
// stopped, also in another process. It leaves a complete index as it is.
//
// progress, if not nil, is called from time to time with how much of the log has been
// indexed, in arbitrary units.
func (s *Store) CreateIndex(ctx context.Context, name string, progress func(done, total int64)) error {
	if err := checkIndexName(name); err != nil {
		return err
	}
	ready := false
	err := s.changeIndexes(ctx, func(_ engine.Transaction, all []layout.SystemIndex) ([]layout.SystemIndex, bool) {
		ready = slices.Contains(all, layout.SystemIndex{Name: name, Ready: true})
		if ready || slices.Contains(all, layout.SystemIndex{Name: name, Ready: false}) {
			return all, false
		}
		return append(all, layout.SystemIndex{Name: name, Ready: false}), true
	})
	if err != nil {
		return fmt.Errorf("creating index %q: %w", name, err)
	}
	if ready {
		return nil
	}
	b := indexBuilder{store: s, index: name, progress: progress}
	if err := b.run(ctx); err != nil {
		return fmt.Errorf("building index %q: %w; create it again to resume", name, err)
	}
	return nil
}

// DropIndex removes a system index at once. Readers that use it continue without it.
func (s *Store) DropIndex(ctx context.Context, name string) error {
	if err := checkIndexName(name); err != nil {
		return err
	}
	err := s.changeIndexes(ctx, func(tr engine.Transaction, all []layout.SystemIndex) ([]layout.SystemIndex, bool) {
		// This also clears what a builder that is gone has left.
		tr.ClearRange(s.keys.AllIndexed(name))
		tr.ClearRange(s.keys.AllTagged(layout.SystemTagPrefix(name)))
		n := len(all)
		all = slices.DeleteFunc(all, func(i layout.SystemIndex) bool { return i.Name == name })
		return all, len(all) < n
	})
	if err != nil {
		return fmt.Errorf("dropping index %q: %w", name, err)
	}
	return nil
}

// indexBuilder writes the entries of a system index for the events that precede it.
// Writing an entry twice, or one that an append has written, does no harm, so several
// builders can run at once, and one can be run again.
type indexBuilder struct {
	store    *Store
	index    string
	progress func(done, total int64)
}

// errIndexDropped ends the build of an index that was dropped during it.
var errIndexDropped = fmt.Errorf("it was dropped while being built")

func (b *indexBuilder) run(ctx context.Context) error {
	s := b.store
	for p := range s.header.Partitions {
		for done := false; !done; {
			var at fdbevents.Position
			var version int64
			err := s.update(ctx, func(tr engine.Transaction, _ error) (err error) {
				if version, err = tr.ReadVersion().Get(); err == nil {
					at, done, err = b.step(tr, p)
				}
				return err
			})
			if err != nil {
				return err
			}
			if b.progress != nil {
				part := int64(1000)
				if !done {
					part = b.share(at, version)
				}
				b.progress(1000*int64(p)+part, 1000*int64(s.header.Partitions))
			}
		}
	}
	whole, err := b.finish(ctx)
	if err == nil && !whole {
		return b.run(ctx)
	}
	return err
}

// finish makes the index ready if it is complete. It is not if the index was dropped
// and created again since this builder began, which removed what the builder had done;
// whole is then false.
func (b *indexBuilder) finish(ctx context.Context) (whole bool, err error) {
	s := b.store
	err = s.update(ctx, func(tr engine.Transaction, _ error) error {
		set, err := s.readIndexes(tr)
		if err != nil {
			return err
		}
		i := slices.Index(set.all, layout.SystemIndex{Name: b.index, Ready: false})
		if whole = i < 0; whole {
			return nil // it is already ready, or was dropped
		}
		page, err := tr.GetRange(s.keys.AllIndexed(b.index), engine.RangeOptions{}).Get()
		if err != nil {
			return err
		}
		done := 0
		for _, kv := range page.KeyValues {
			at, err := layout.DecodePlace(kv.Value)
			if err != nil {
				return err
			}
			if at == fdbevents.End {
				done++
			}
		}
		if whole = done == s.header.Partitions; !whole {
			return nil
		}
		h := s.header
		h.Indexes = slices.Clone(set.all)
		h.Indexes[i].Ready = true
		tr.Set(s.keys.Header(), layout.AppendHeader(nil, h))
		tr.ClearRange(s.keys.AllIndexed(b.index))
		return nil
	})
	return whole, err
}

// share returns how far at is on the way to version, in thousandths. Versions count
// neither time nor events, but they are good enough for a progress bar.
func (b *indexBuilder) share(at fdbevents.Position, version int64) int64 {
	if version <= 0 {
		return 0
	}
	return min(999, int64(1000*float64(at.Version())/float64(version)))
}

// step indexes a page of a partition's slots and stores its progress. Writers index
// what is appended from now on, so a partition is done once its end has been reached;
// End is stored as its place then.
func (b *indexBuilder) step(tr engine.Transaction, p int) (through fdbevents.Position, done bool, err error) {
	s := b.store
	set, err := s.readIndexes(tr)
	if err != nil {
		return through, false, err
	}
	if !slices.ContainsFunc(set.all, func(i layout.SystemIndex) bool { return i.Name == b.index }) {
		return through, false, errIndexDropped
	}
	progress := s.keys.Indexed(b.index, p)
	value, err := tr.Get(progress).Get()
	if err != nil {
		return through, false, err
	}
	from, err := layout.DecodePlace(value)
	if err != nil || from == fdbevents.End {
		return from, from == fdbevents.End, err
	}
	src := source{partition: p}
	got, err := tr.Snapshot().GetRange(src.keys(&s.keys, from.Next(), fdbevents.End), engine.RangeOptions{Limit: 1000, Bytes: pageBytes / 2}).Get()
	if err != nil {
		return through, false, err
	}
	t, err := src.take(s, tr.Snapshot(), got, -1, pageBytes, false)
	if err != nil {
		return through, false, err
	}
	through = t.through
	if len(got.KeyValues) > 0 {
		// A scavenge of one of these events at the same time must come first: no entry
		// may be written for it afterwards.
		first, _, err := src.pointer(&s.keys, got.KeyValues[0])
		if err != nil {
			return through, false, err
		}
		tr.AddReadConflict(src.keys(&s.keys, first.At, through))
	}
	if !t.more {
		tr.Set(progress, layout.AppendPlace(nil, fdbevents.End))
	} else {
		tr.Set(progress, layout.AppendPlace(nil, through))
	}
	for i := range t.events {
		ev := &t.events[i]
		if tag, ok := layout.SystemTag(b.index, ev.Stream, ev.Type); ok {
			tr.Set(s.keys.Tag(nil, tag, ev.Position), layout.AppendTagEntry(nil, p))
		}
	}
	return through, !t.more, nil
}
