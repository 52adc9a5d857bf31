package groups

import (
	"context"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// replayBatch is how many messages one transaction of Replay moves.
const replayBatch = 500

// Replay makes the members deliver all parked messages again. Each waits in line with
// the other messages of its stream that are not settled yet; messages of the stream
// that were settled already do not come again. Attempts count anew. Replay returns how
// many messages it moved.
//
// Errors: ErrGroupDeleted, ErrClosed.
func (g *Group) Replay(ctx context.Context) (moved int, err error) {
	k := g.keys
	rest := k.GroupParkedAll(g.name)
	for {
		var page engine.Page
		err := g.change(ctx, "replaying parked messages of", func(tr engine.Transaction, _ layout.GroupConfig) error {
			if n := len(page.KeyValues); n > 0 {
				// If the first key is gone, the attempt before was committed.
				first, err := tr.Get(page.KeyValues[0].Key).Get()
				if err != nil || first == nil {
					return err
				}
			}
			var err error
			if page, err = tr.GetRange(rest, engine.RangeOptions{Limit: replayBatch}).Get(); err != nil || len(page.KeyValues) == 0 {
				return err
			}
			for _, kv := range page.KeyValues {
				key, err := k.ParseGroup(kv.Key)
				if err != nil {
					return err
				}
				tr.Clear(kv.Key)
				tr.Set(k.GroupReplay(g.name, key.Partition, key.At), layout.AppendGroupCount(nil, 0))
			}
			g.ring(tr)
			return nil
		})
		if err != nil {
			return moved, err
		}
		moved += len(page.KeyValues)
		if !page.More {
			return moved, nil
		}
		rest.Begin = layout.After(page.KeyValues[len(page.KeyValues)-1].Key)
	}
}
