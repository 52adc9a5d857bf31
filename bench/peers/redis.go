package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"golang.org/x/sync/errgroup"
)

func redisSystem() harness.System {
	return harness.System{
		Name: "redis", Kind: harness.Peer,
		About: "Redis Streams, appendfsync always, a script checks XLEN and adds: everything is in memory, and there is no log of all streams, which is less than others do",
		Open:  openRedis,
	}
}

// redisAppend adds ARGV[2] and those that follow to the stream if it has ARGV[1]
// events. XLEN is that number, because nothing is ever deleted.
var redisAppend = redis.NewScript(`
local length = redis.call('XLEN', KEYS[1])
if length ~= tonumber(ARGV[1]) then
	return redis.error_reply('WRONGNEXT ' .. KEYS[1] .. ' has ' .. length .. ' events, not ' .. ARGV[1])
end
for i = 2, #ARGV do
	redis.call('XADD', KEYS[1], '*', 'd', ARGV[i])
end
return length`)

type redisInstance struct {
	server  *child
	sockets string // a directory
	client  *redis.Client
	version string

	mu sync.Mutex
	// lanes hold what Fill has not sent yet, with all of a stream in the same one.
	lanes [32]redis.Pipeliner
	seed  maphash.Seed
}

func openRedis(ctx context.Context, dir string) (harness.Instance, error) {
	program, err := find("redis-server", "redis-server", "/usr/local/bin")
	if err != nil {
		return nil, err
	}
	r := &redisInstance{seed: maphash.MakeSeed()}
	if err := r.start(ctx, program, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open Redis: %w", err), r.Close())
	}
	return r, nil
}

func (r *redisInstance) start(ctx context.Context, program, dir string) (err error) {
	if r.sockets, err = socketFolder(); err != nil {
		return err
	}
	socket := filepath.Join(r.sockets, "s")
	cmd := exec.Command(program, "--dir", dir, "--port", "0", "--unixsocket", socket, "--daemonize", "no",
		"--appendonly", "yes", "--appendfsync", "always", "--save", "")
	if r.server, err = startChild(cmd, filepath.Join(dir, "redis.log")); err != nil {
		return err
	}
	r.client = redis.NewClient(&redis.Options{
		Network: "unix", Addr: socket, PoolSize: 512, MaxIdleConns: 512,
		ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	for i := range r.lanes {
		r.lanes[i] = r.client.Pipeline()
	}
	err = r.server.await(ctx, func(ctx context.Context) error {
		if _, err := os.Stat(socket); err != nil {
			return err // the client would log a failed connection
		}
		return r.client.Ping(ctx).Err() // an error until the server has read its file
	})
	if err != nil {
		return err
	}
	info, err := r.client.Info(ctx, "server").Result()
	if err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	_, version, _ := strings.Cut(info, "redis_version:")
	version, _, _ = strings.Cut(version, "\r\n")
	r.version = "Redis " + version
	if err := redisAppend.Load(ctx, r.client).Err(); err != nil {
		return fmt.Errorf("load the script: %w", err)
	}
	return nil
}

func (r *redisInstance) Version() string  { return r.version }
func (r *redisInstance) Processes() []int { return r.server.processes() }

func (r *redisInstance) Close() error {
	var errs []error
	if r.client != nil {
		errs = append(errs, r.Flush(context.Background()), r.client.Close())
	}
	errs = append(errs, r.server.stop(syscall.SIGTERM))
	if r.sockets != "" {
		errs = append(errs, os.RemoveAll(r.sockets))
	}
	return errors.Join(errs...)
}

func (r *redisInstance) Append(ctx context.Context, stream string, next int64, events []harness.Event) error {
	// Not Run, which would send the script again if it were missing: it is loaded.
	return redisAppend.EvalSha(ctx, r.client, []string{stream}, redisArguments(next, events)...).Err()
}

func redisArguments(next int64, events []harness.Event) []any {
	arguments := make([]any, 1, len(events)+1)
	arguments[0] = next
	for _, e := range events {
		arguments = append(arguments, e.Data)
	}
	return arguments
}

func (r *redisInstance) AppendAny(ctx context.Context, stream string, events []harness.Event) error {
	add := func(c redis.Cmdable, e harness.Event) error {
		return c.XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: []any{"d", e.Data}}).Err()
	}
	if len(events) == 1 {
		return add(r.client, events[0])
	}
	_, err := r.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, e := range events {
			_ = add(p, e) // the result is not there yet
		}
		return nil
	})
	return err
}

// Fill sends some thousand calls at a time over many connections: the server syncs
// once for all that it reads in a round, which is 16 KiB from each connection.
func (r *redisInstance) Fill(ctx context.Context, stream string, next int64, events []harness.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Convert to string, which copies: the pipeline keeps its arguments.
	arguments := redisArguments(next, events)
	for i, a := range arguments {
		if data, ok := a.([]byte); ok {
			arguments[i] = string(data)
		}
	}
	lane := r.lanes[maphash.String(r.seed, stream)%uint64(len(r.lanes))]
	redisAppend.EvalSha(ctx, lane, []string{stream}, arguments...)
	if lane.Len() < 200 {
		return nil
	}
	return r.flush(ctx)
}

func (r *redisInstance) Flush(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flush(ctx)
}

func (r *redisInstance) flush(ctx context.Context) error {
	var g errgroup.Group
	for _, lane := range r.lanes {
		if lane != nil && lane.Len() > 0 {
			g.Go(func() error {
				_, err := lane.Exec(ctx)
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}

// ReadStream reads pages: Redis serves nobody else while it prepares a reply.
func (r *redisInstance) ReadStream(ctx context.Context, stream string, yield func([]byte)) error {
	const page = 1000
	start := "-"
	for {
		messages, err := r.client.XRangeN(ctx, stream, start, "+", page).Result()
		if err != nil {
			return fmt.Errorf("read %s from %s: %w", stream, start, err)
		}
		for _, m := range messages {
			data, ok := m.Values["d"].(string)
			if !ok {
				return fmt.Errorf("read %s: entry %s has no data", stream, m.ID)
			}
			yield([]byte(data))
		}
		if len(messages) < page {
			return nil
		}
		start = "(" + messages[page-1].ID // exclusive
	}
}
