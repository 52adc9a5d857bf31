package check

import (
	"context"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// checkpoints verifies that each holds a position that this log has reached.
func (c *checker) checkpoints(ctx context.Context) error {
	return c.scan(ctx, c.keys.Checkpoints(), func(r fdblayer.Reader, kvs []engine.KeyValue, f *findings) error {
		for _, kv := range kvs {
			name, err := c.keys.ParseCheckpoint(kv.Key)
			if err != nil {
				f.problem("checkpoint %x: %v", kv.Key, err)
				continue
			}
			at, err := layout.DecodePlace(kv.Value)
			if err == nil {
				_, err = c.door.CheckPosition(r, at)
			}
			switch {
			case fdblayer.IsEngineError(err):
				return err
			case err != nil:
				f.problem("checkpoint %q: %v", name, err)
			}
		}
		return nil
	})
}

// projections verifies the state of each projection and of its generations, and that no
// other generation has keys.
func (c *checker) projections(ctx context.Context) error {
	rest := c.keys.Projections()
	for {
		var f findings
		more := false
		next := rest
		err := c.door.View(ctx, func(r fdblayer.Reader) error {
			f = findings{}
			p, err := r.GetRange(rest, engine.RangeOptions{Limit: 1}).Get()
			if more = len(p.KeyValues) > 0; err != nil || !more {
				return err
			}
			key := p.KeyValues[0].Key
			name, _, _, err := c.keys.ParseProjection(key)
			if err != nil {
				f.problem("projection %x: %v", key, err)
				next.Begin = layout.After(key)
				return nil
			}
			next.Begin = c.keys.WholeProjection(name).End
			return c.projection(r, name, &f)
		})
		if err != nil {
			return err
		}
		if err := c.add(ctx, f); err != nil {
			return err
		}
		if !more {
			return nil
		}
		rest = next
	}
}

func (c *checker) projection(r fdblayer.Reader, name string, f *findings) error {
	key := c.keys.Projection(name)
	value, err := r.Get(key).Get()
	if err != nil {
		return err
	}
	if value == nil {
		f.problem("projection %q has keys, but its own key is missing", name)
		return nil
	}
	known, err := layout.DecodeProjection(value)
	if err != nil {
		f.problem("projection %q: %v", name, err)
		return nil
	}
	// Skip the views: one read per generation.
	rest := engine.Range{Begin: layout.After(key), End: c.keys.WholeProjection(name).End}
	for {
		p, err := r.GetRange(rest, engine.RangeOptions{Limit: 1}).Get()
		if err != nil || len(p.KeyValues) == 0 {
			return err
		}
		kv := p.KeyValues[0]
		_, g, view, err := c.keys.ParseProjection(kv.Key)
		if err != nil {
			f.problem("projection %q: %v", name, err)
			rest.Begin = layout.After(kv.Key)
			continue
		}
		rest.Begin = c.keys.WholeGeneration(name, g).End
		switch {
		case g != known.Current && g != known.Building:
			f.problem("projection %q has keys of generation %d, which does not exist", name, g)
		case view:
			f.problem("projection %q: generation %d has a view but no position", name, g)
		default:
			at, err := layout.DecodePlace(kv.Value)
			if err == nil {
				_, err = c.door.CheckPosition(r, at)
			}
			switch {
			case fdblayer.IsEngineError(err):
				return err
			case err != nil:
				f.problem("projection %q: generation %d: %v", name, g, err)
			}
		}
	}
}
