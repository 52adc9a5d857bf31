package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

func jetStreamSystem() harness.System {
	return harness.System{
		Name: "jetstream", Kind: harness.Peer,
		About: "NATS JetStream with its server in the process, sync always: one stream, with one subject per event stream and its last sequence expected; several events form an atomic batch, which the server stages in separate files; acks of groups are not synced",
		Open:  openJetStream,
	}
}

const (
	jetStreamName   = "EVENTS"
	jetStreamPrefix = "events." // followed by the harness's stream name: a subject
)

type jetStreamInstance struct {
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream

	mu       sync.Mutex
	subjects map[string]*subject

	fillMu sync.Mutex
	filled []*nats.Msg // not yet sent
}

// subject is what is known about the end of a subject. JetStream compares sequences of
// the whole stream, but a writer knows only how many events its subject has.
type subject struct {
	mu sync.Mutex
	// known says whether count and last are known.
	known bool
	count int64
	last  uint64
}

// forget makes the next append ask the server.
func (s *subject) forget() { s.known, s.count, s.last = false, 0, 0 }

func openJetStream(ctx context.Context, dir string) (harness.Instance, error) {
	j := &jetStreamInstance{subjects: make(map[string]*subject)}
	if err := j.start(ctx, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open JetStream: %w", err), j.Close())
	}
	return j, nil
}

func (j *jetStreamInstance) start(ctx context.Context, dir string) (err error) {
	const batches = 10_000 // under way at once; the default allows few
	options := &server.Options{
		ServerName: "one", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: filepath.Join(dir, "jetstream"), SyncAlways: true,
		JetStreamLimits: server.JSLimitOpts{MaxBatchInflightPerStream: batches, MaxBatchInflightTotal: batches},
	}
	if j.server, err = server.NewServer(options); err != nil {
		return err
	}
	j.server.Start()
	if !j.server.ReadyForConnections(startup) {
		return fmt.Errorf("the server is not ready after %v", startup)
	}
	if j.conn, err = nats.Connect("", nats.InProcessServer(j.server)); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if j.js, err = jetstream.New(j.conn); err != nil {
		return err
	}
	j.stream, err = j.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: jetStreamName, Subjects: []string{jetStreamPrefix + ">"},
		Storage: jetstream.FileStorage, AllowDirect: true, AllowAtomicPublish: true,
	})
	if err != nil {
		return fmt.Errorf("create the stream: %w", err)
	}
	return nil
}

func (j *jetStreamInstance) Version() string { return "nats-server " + server.VERSION }

func (j *jetStreamInstance) Close() error {
	var err error
	if j.stream != nil {
		err = j.Flush(context.Background())
	}
	if j.conn != nil {
		j.conn.Close()
	}
	if j.server != nil {
		j.server.Shutdown()
		j.server.WaitForShutdown()
	}
	return err
}

func (j *jetStreamInstance) subject(stream string) *subject {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.subjects[stream]
	if s == nil {
		s = new(subject)
		j.subjects[stream] = s
	}
	return s
}

// look asks the server where the subject ends.
func (j *jetStreamInstance) look(ctx context.Context, stream string, s *subject) error {
	name := jetStreamPrefix + stream
	last, err := j.stream.GetLastMsgForSubject(ctx, name)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		s.known, s.count, s.last = true, 0, 0
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for the end of %s: %w", stream, err)
	}
	info, err := j.stream.Info(ctx, jetstream.WithSubjectFilter(name))
	if err != nil {
		return fmt.Errorf("count the events of %s: %w", stream, err)
	}
	// If an event was appended in between, the server refuses the append that follows.
	s.known, s.count, s.last = true, int64(info.State.Subjects[name]), last.Sequence
	return nil
}

func (j *jetStreamInstance) Append(ctx context.Context, stream string, next int64, events []harness.Event) error {
	s := j.subject(stream)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known && next > 0 { // for next 0, the server itself checks that there are none
		if err := j.look(ctx, stream, s); err != nil {
			return err
		}
	}
	if s.known && s.count != next {
		return fmt.Errorf("%s has %d events, not %d", stream, s.count, next)
	}
	messages := jetStreamMessages(stream, events)
	messages[0].Header = nats.Header{"Nats-Expected-Last-Subject-Sequence": {strconv.FormatUint(s.last, 10)}}
	sequence, err := j.publish(ctx, messages)
	if err != nil {
		s.forget() // the append may have happened
		return fmt.Errorf("append to %s: %w", stream, err)
	}
	s.known, s.count, s.last = true, next+int64(len(events)), sequence
	return nil
}

// AppendAny does not wait for other appends to the stream, so afterwards only the
// server knows where the stream ends.
func (j *jetStreamInstance) AppendAny(ctx context.Context, stream string, events []harness.Event) error {
	_, err := j.publish(ctx, jetStreamMessages(stream, events))
	s := j.subject(stream)
	s.mu.Lock()
	s.forget()
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("append to %s: %w", stream, err)
	}
	return nil
}

func jetStreamMessages(stream string, events []harness.Event) []*nats.Msg {
	messages := make([]*nats.Msg, len(events))
	for i, e := range events {
		messages[i] = &nats.Msg{Subject: jetStreamPrefix + stream, Data: e.Data}
	}
	return messages
}

// publish publishes the messages, all or none, and returns the last one's sequence.
func (j *jetStreamInstance) publish(ctx context.Context, messages []*nats.Msg) (uint64, error) {
	last := len(messages) - 1
	if last > 0 {
		id := nuid.Next()
		for i, m := range messages {
			if m.Header == nil {
				m.Header = make(nats.Header, 3)
			}
			m.Header["Nats-Batch-Id"] = []string{id}
			m.Header["Nats-Batch-Sequence"] = []string{strconv.Itoa(i + 1)}
		}
		messages[last].Header["Nats-Batch-Commit"] = []string{"1"}
		for _, m := range messages[:last] {
			if err := j.conn.PublishMsg(m); err != nil {
				return 0, err
			}
		}
	}
	reply, err := j.conn.RequestMsgWithContext(ctx, messages[last])
	if err != nil {
		return 0, err
	}
	var ack struct {
		Sequence uint64              `json:"seq"`
		Error    *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return 0, fmt.Errorf("read the acknowledgement %q: %w", reply.Data, err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	return ack.Sequence, nil
}

// Fill sends batches; the server syncs once for each. It does not check next.
func (j *jetStreamInstance) Fill(ctx context.Context, stream string, _ int64, events []harness.Event) error {
	j.fillMu.Lock()
	defer j.fillMu.Unlock()
	for _, m := range jetStreamMessages(stream, events) {
		m.Data = append([]byte(nil), m.Data...)
		j.filled = append(j.filled, m)
		if len(j.filled) >= 1000 { // the most that the server takes in a batch
			if err := j.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *jetStreamInstance) Flush(ctx context.Context) error {
	j.fillMu.Lock()
	defer j.fillMu.Unlock()
	return j.flush(ctx)
}

func (j *jetStreamInstance) flush(ctx context.Context) error {
	if len(j.filled) == 0 {
		return nil
	}
	// The ends of many subjects have moved.
	j.mu.Lock()
	clear(j.subjects)
	j.mu.Unlock()
	_, err := j.publish(ctx, j.filled)
	j.filled = nil
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}
