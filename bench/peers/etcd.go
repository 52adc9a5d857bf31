package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

func etcdSystem() harness.System {
	return harness.System{
		Name: "etcd", Kind: harness.Peer,
		About: "etcd with one member, one key per event and one for each stream's end, compared and put: keys have no order across streams, so no log",
		Open:  openEtcd,
	}
}

const (
	etcdHeads  = "h/" // h/STREAM: how many events the stream has
	etcdEvents = "e/" // e/STREAM/REVISION: an event
)

type etcdInstance struct {
	server  *child
	client  *clientv3.Client
	version string

	mu     sync.Mutex
	filled etcdFill
}

// etcdFill holds what Fill has not sent yet.
type etcdFill struct {
	heads  map[string]int64
	events []clientv3.Op
}

func openEtcd(ctx context.Context, dir string) (harness.Instance, error) {
	program, err := find("etcd", "etcd-server", "/usr/local/bin")
	if err != nil {
		return nil, err
	}
	e := &etcdInstance{filled: etcdFill{heads: make(map[string]int64)}}
	if err := e.start(ctx, program, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open etcd: %w", err), e.Close())
	}
	return e, nil
}

func (e *etcdInstance) start(ctx context.Context, program, dir string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	cmd := exec.Command(program,
		"--name", "one", "--data-dir", filepath.Join(dir, "etcd"), "--logger", "zap", "--log-level", "warn",
		"--listen-client-urls", address, "--advertise-client-urls", address,
		// For other members, but there are none: any port will do.
		"--listen-peer-urls", "http://127.0.0.1:0", "--initial-advertise-peer-urls", "http://127.0.0.1:1",
		"--initial-cluster", "one=http://127.0.0.1:1",
		"--quota-backend-bytes", strconv.Itoa(8<<30), "--auto-compaction-retention", "0",
		"--max-txn-ops", "10000", "--max-request-bytes", strconv.Itoa(64<<20))
	if e.server, err = startChild(cmd, filepath.Join(dir, "etcd.log")); err != nil {
		return err
	}
	e.client, err = clientv3.New(clientv3.Config{
		Endpoints: []string{address}, DialTimeout: startup, Logger: zap.NewNop(),
		MaxCallSendMsgSize: 64 << 20,
	})
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return e.server.await(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		status, err := e.client.Status(ctx, address)
		if err == nil {
			e.version = "etcd " + status.Version
			_, err = e.client.Get(ctx, etcdHeads) // answered once there is a leader
		}
		return err
	})
}

func (e *etcdInstance) Version() string  { return e.version }
func (e *etcdInstance) Processes() []int { return e.server.processes() }

func (e *etcdInstance) Close() error {
	var errs []error
	if e.client != nil {
		errs = append(errs, e.Flush(context.Background()), e.client.Close())
	}
	return errors.Join(append(errs, e.server.stop(syscall.SIGTERM))...)
}

func (e *etcdInstance) Append(ctx context.Context, stream string, next int64, events []harness.Event) error {
	head := etcdHeads + stream
	condition := clientv3.Compare(clientv3.Value(head), "=", strconv.FormatInt(next, 10))
	if next == 0 {
		condition = clientv3.Compare(clientv3.CreateRevision(head), "=", 0)
	}
	ops := make([]clientv3.Op, 0, len(events)+1)
	ops = append(ops, clientv3.OpPut(head, strconv.FormatInt(next+int64(len(events)), 10)))
	ops = appendPuts(ops, stream, next, events)
	r, err := e.client.Txn(ctx).If(condition).Then(ops...).Commit()
	if err != nil {
		return fmt.Errorf("append to %s: %w", stream, err)
	}
	if !r.Succeeded {
		return fmt.Errorf("%s does not have %d events", stream, next)
	}
	return nil
}

func appendPuts(ops []clientv3.Op, stream string, next int64, events []harness.Event) []clientv3.Op {
	for i, event := range events {
		ops = append(ops, clientv3.OpPut(fmt.Sprintf("%s%s/%016x", etcdEvents, stream, next+int64(i)), string(event.Data)))
	}
	return ops
}

// Fill puts a hundred events per transaction, and does not check next.
func (e *etcdInstance) Fill(ctx context.Context, stream string, next int64, events []harness.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.filled.events = appendPuts(e.filled.events, stream, next, events)
	e.filled.heads[stream] = next + int64(len(events))
	if len(e.filled.events) < 100 {
		return nil
	}
	return e.flush(ctx)
}

func (e *etcdInstance) Flush(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flush(ctx)
}

func (e *etcdInstance) flush(ctx context.Context) error {
	if len(e.filled.events) == 0 {
		return nil
	}
	ops := e.filled.events
	for stream, n := range e.filled.heads {
		ops = append(ops, clientv3.OpPut(etcdHeads+stream, strconv.FormatInt(n, 10)))
	}
	e.filled.events = e.filled.events[:0]
	clear(e.filled.heads)
	if _, err := e.client.Txn(ctx).Then(ops...).Commit(); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}

func (e *etcdInstance) ReadStream(ctx context.Context, stream string, yield func([]byte)) error {
	first := etcdEvents + stream + "/"
	end := clientv3.GetPrefixRangeEnd(first)
	for {
		r, err := e.client.Get(ctx, first, clientv3.WithRange(end), clientv3.WithLimit(1000))
		if err != nil {
			return fmt.Errorf("read %s from %s: %w", stream, first, err)
		}
		for _, kv := range r.Kvs {
			yield(kv.Value)
		}
		if !r.More {
			return nil
		}
		first = string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
	}
}

// Follow watches the events' keys.
func (e *etcdInstance) Follow(ctx context.Context, live func(), yield func([]byte)) error {
	watch := e.client.Watch(ctx, etcdEvents, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	for r := range watch {
		if r.Created {
			live()
		}
		if err := r.Err(); err != nil && ctx.Err() == nil {
			return fmt.Errorf("watch: %w", err)
		}
		for _, event := range r.Events {
			yield(event.Kv.Value)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return errors.New("watch: ended by itself")
}
