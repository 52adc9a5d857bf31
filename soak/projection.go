package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
)

const projectionName = "writers"

// project counts the events of each writer, until its store is closed.
func (c *crew) project(ctx context.Context) error {
	life, end := c.until(ctx)
	defer end()
	s, err := c.site.store(life, 1)
	if err != nil {
		return nil
	}
	err = s.Project(life, projectionName, fdblayer.ProjectOptions{}, func(_ context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
		view, err := tx.View(projectionName)
		if err != nil {
			return err
		}
		counts := make(map[uint32]int64)
		for i := range events {
			if !lasting(&events[i]) {
				continue // they may be gone before the projection sees them
			}
			b, err := decodeBody(events[i].Data)
			if err != nil {
				return err
			}
			counts[b.writer]++
		}
		for writer, n := range counts {
			view.Add(binary.BigEndian.AppendUint32(nil, writer), n)
		}
		return nil
	})
	if life.Err() != nil || transient(err) {
		return nil
	}
	return err
}

// projectedTo waits until the projection has reached a position.
func (c *crew) projectedTo(ctx context.Context, goal fdbevents.Position) error {
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		var info fdblayer.ProjectionInfo
		_, _, err := c.do(ctx, 0, func(s *fdblayer.Store) (err error) {
			info, err = s.Projection(ctx, projectionName)
			return err
		})
		if err == nil && !info.Position.Before(goal) {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("the projection has only reached position %s: %w", info.Position, errors.Join(err, ctx.Err()))
		}
	}
}

// view reads what the projection has counted.
func (c *crew) view(ctx context.Context) (map[uint32]uint64, error) {
	counts := make(map[uint32]uint64)
	_, _, err := c.do(ctx, 0, func(s *fdblayer.Store) error {
		_, err := s.Transact(ctx, func(tx *fdblayer.Tx) error {
			clear(counts)
			view, err := tx.View(projectionName)
			if err != nil {
				return err
			}
			var r engine.Range
			for {
				page, err := view.GetRange(r, engine.RangeOptions{})
				if err != nil {
					return err
				}
				for _, kv := range page.KeyValues {
					counts[binary.BigEndian.Uint32(kv.Key)] = number(kv.Value)
					r.Begin = append(kv.Key[:len(kv.Key):len(kv.Key)], 0)
				}
				if !page.More {
					return nil
				}
			}
		})
		return err
	})
	return counts, err
}

// projection compares the projection's view with the log.
func (a *audit) projection(view map[uint32]uint64) {
	for writer, n := range a.perWriter {
		if view[writer] != n {
			a.checker.verdict.add(projected, "it counts %d events of writer %d, but there are %d", view[writer], writer, n)
		}
	}
	for writer, n := range view {
		if _, ok := a.perWriter[writer]; !ok {
			a.checker.verdict.add(projected, "it counts %d events of writer %d, but there are no such events", n, writer)
		}
	}
}
