package fdblayer

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// ownView is a generation of a projection's view. Without a name it is no view.
type ownView struct {
	name       string
	generation int64
}

// View returns the view of a projection: the keys that its handler has written. Inside
// that handler it is the view to write to. Anywhere else it is the view that is
// complete up to the position of ProjectionInfo, even while another is being built, and
// must only be read. View returns ErrProjectionNotFound if the projection has never
// been run.
func (tx *Tx) View(name string) (*Data, error) {
	if tx.own.name == name && name != "" {
		return &Data{tx: tx, all: tx.store.keys.View(name, tx.own.generation)}, nil
	}
	p, err := tx.projection(name)
	if err != nil {
		return nil, fmt.Errorf("opening a view: %w", namedProjection(name, err))
	}
	return &Data{tx: tx, all: tx.store.keys.View(name, p.Current)}, nil
}

// projection reads which generations a projection has. The transaction is run again if
// that changes before it commits.
func (tx *Tx) projection(name string) (layout.Projection, error) {
	if err := fdbevents.ValidateName("projection name", name, fdbevents.MaxName); err != nil {
		return layout.Projection{}, err
	}
	value, err := tx.tr.Get(tx.store.keys.Projection(name)).Get()
	if err != nil {
		return layout.Projection{}, err
	}
	if value == nil {
		return layout.Projection{}, &fdbevents.NotFoundError{What: "projection", Name: name}
	}
	return layout.DecodeProjection(value)
}

// namedProjection adds the projection's name to an error that does not have it yet.
func namedProjection(name string, err error) error {
	if fdbevents.KindOf(err) == fdbevents.NotFound {
		return err
	}
	return fmt.Errorf("projection %q: %w", name, err)
}

// awaitPlace awaits a place; an absent one is Start.
func awaitPlace(value engine.Future[[]byte]) (fdbevents.Position, error) {
	b, err := value.Get()
	if err != nil {
		return fdbevents.Start, err
	}
	return layout.DecodePlace(b)
}

// ProjectionInfo describes a projection.
type ProjectionInfo struct {
	Name string
	// Generation is the generation of the view that readers see, and Position the
	// position in the log that it has reached.
	Generation int64
	Position   fdbevents.Position
	// Rebuilding is true while the view is being rebuilt in generation NextGeneration,
	// which has reached NextPosition.
	Rebuilding     bool
	NextGeneration int64
	NextPosition   fdbevents.Position
}

// Projection returns what the store knows about a projection. It returns
// ErrProjectionNotFound if no projection has this name.
func (s *Store) Projection(ctx context.Context, name string) (info ProjectionInfo, err error) {
	_, err = s.Transact(ctx, func(tx *Tx) error {
		p, err := tx.projection(name)
		if err != nil {
			return err
		}
		info = ProjectionInfo{Name: name, Generation: p.Current}
		current := tx.tr.Get(s.keys.Generation(name, p.Current))
		if p.Building != layout.NoGeneration {
			info.Rebuilding, info.NextGeneration = true, p.Building
			if info.NextPosition, err = awaitPlace(tx.tr.Get(s.keys.Generation(name, p.Building))); err != nil {
				return err
			}
		}
		info.Position, err = awaitPlace(current)
		return err
	})
	if err != nil {
		return info, namedProjection(name, err)
	}
	return info, nil
}

// Projections yields all projections in the order of their names, each read in a
// transaction of its own. It yields at most one error, as its last element.
func (s *Store) Projections(ctx context.Context) iter.Seq2[ProjectionInfo, error] {
	return func(yield func(ProjectionInfo, error) bool) {
		rest := s.keys.Projections()
		for {
			var name string
			more := false
			err := s.view(ctx, func(r Reader) error {
				p, err := r.GetRange(rest, engine.RangeOptions{Limit: 1}).Get()
				if more = len(p.KeyValues) > 0; more && err == nil {
					name, _, _, err = s.keys.ParseProjection(p.KeyValues[0].Key)
				}
				return err
			})
			if err != nil {
				yield(ProjectionInfo{}, fmt.Errorf("listing projections: %w", err))
				return
			}
			if !more {
				return
			}
			rest.Begin = s.keys.WholeProjection(name).End
			info, err := s.Projection(ctx, name)
			if errors.Is(err, fdbevents.ErrProjectionNotFound) {
				continue // deleted in between
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

// DeleteProjection removes a projection and its view, if there is one. Its runners end
// with ErrProjectionRebuilt. If it is run again, it begins at the start of the log.
func (s *Store) DeleteProjection(ctx context.Context, name string) error {
	if err := fdbevents.ValidateName("projection name", name, fdbevents.MaxName); err != nil {
		return err
	}
	_, err := s.Transact(ctx, func(tx *Tx) error {
		tx.write().ClearRange(s.keys.WholeProjection(name))
		return nil
	})
	if err != nil {
		return fmt.Errorf("deleting projection %q: %w", name, err)
	}
	return nil
}
