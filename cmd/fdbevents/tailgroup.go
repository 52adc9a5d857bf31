package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/urfave/cli/v2"
)

const (
	// groupConsumers is how many messages are printed and acknowledged concurrently, so
	// that their acknowledgements share a transaction.
	groupConsumers = 64
	// lastAck is how long to wait after an interrupt for the acknowledgement of messages
	// that were printed.
	lastAck = 5 * time.Second
)

// parseGroup reads the options with which "tail" joins a group, or creates it. An existing
// group supplies the options that are not given.
func parseGroup(c *cli.Context, s selection) (groups.Options, error) {
	if s.stream != "" {
		return groups.Options{}, usagef(c, "--group needs --all")
	}
	return groups.Options{Filter: s.filter, From: s.position}, nil
}

// tailGroup joins a group and prints messages until ctx ends. It acknowledges each message
// once its line is written.
func (p *program) tailGroup(ctx context.Context, store *fdblayer.Store, name string, o groups.Options, asJSON bool) error {
	g, err := groups.Open(ctx, store, name, o)
	var m *groups.Member
	if err == nil {
		m, err = g.Join(ctx)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // interrupted before it joined, which is not an error
	case err != nil:
		return err
	}
	defer m.Close()
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	acking, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	context.AfterFunc(working, func() { time.AfterFunc(lastAck, giveUp) })
	out := &groupOutput{w: newEventWriter(p.stdout, asJSON)}
	var consumers sync.WaitGroup
	for range groupConsumers {
		consumers.Go(func() {
			for msg, err := range m.Messages(working) {
				if err == nil {
					err = out.print(acking, msg)
				}
				if err != nil {
					stop(err)
					return
				}
			}
		})
	}
	consumers.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return printed(context.Cause(working))
}

// groupOutput is the output that the consumers of a group share.
type groupOutput struct {
	mu sync.Mutex
	w  eventWriter
}

// print writes a message's line and acknowledges it. If the message has gone to another
// member, which prints it again, that is not an error.
func (o *groupOutput) print(ctx context.Context, msg *groups.Message) error {
	if err := o.write(&msg.Event); err != nil {
		return err
	}
	err := msg.Ack(ctx)
	if errors.Is(err, fdbevents.ErrLeaseLost) || errors.Is(err, fdbevents.ErrMessageTimeout) || errors.Is(err, fdbevents.ErrSettleUnknown) {
		return nil
	}
	return err
}

func (o *groupOutput) write(ev *fdbevents.Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.w.Write(ev); err != nil {
		return err
	}
	return o.w.Flush()
}
