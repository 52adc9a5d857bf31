package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

func messageDBSystem() harness.System {
	return harness.System{
		Name: "messagedb", Kind: harness.Peer,
		About: "message-db on PostgreSQL, synchronous_commit=on: writers of a category take turns; it cannot read the log, so its table is read by global_position, which can skip what commits late",
		Open:  openMessageDB,
	}
}

const (
	messageDBWrite = "SELECT write_message($1, $2, 'event', $3::jsonb, NULL, $4)"
	messageDBRead  = "SELECT position, data FROM get_stream_messages($1, $2, $3)"
	messageDBLog   = "SELECT global_position, data->>'d' FROM messages WHERE global_position > $1 ORDER BY global_position LIMIT $2"
)

type messageDBInstance struct {
	postgres *postgres
	pool     *pgxpool.Pool
	version  string

	mu     sync.Mutex
	filled *pgx.Batch // not yet sent
}

func openMessageDB(ctx context.Context, dir string) (harness.Instance, error) {
	p, err := startPostgres(ctx, dir)
	if err != nil {
		return nil, err
	}
	m := &messageDBInstance{postgres: p, filled: new(pgx.Batch)}
	if err := m.start(ctx, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open message-db: %w", err), m.Close())
	}
	return m, nil
}

func (m *messageDBInstance) start(ctx context.Context, dir string) error {
	installed := filepath.Join(dir, "message-db-installed")
	if _, err := os.Stat(installed); err != nil {
		if err := installMessageDB(ctx, m.postgres); err != nil {
			return fmt.Errorf("install: %w", err)
		}
		if err := os.WriteFile(installed, []byte(messageDBVersion), 0o644); err != nil {
			return err
		}
	}
	// pgx prepares each statement once per connection.
	config, err := pgxpool.ParseConfig(m.postgres.address("message_store"))
	if err != nil {
		return err
	}
	config.ConnConfig.RuntimeParams["search_path"] = "message_store,public"
	config.MaxConns = 128
	if m.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	var server, store string
	err = m.pool.QueryRow(ctx, "SELECT current_setting('server_version'), message_store_version()").Scan(&server, &store)
	if err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	m.version = fmt.Sprintf("message-db %s, PostgreSQL %s", store, server)
	return nil
}

func (m *messageDBInstance) Version() string  { return m.version }
func (m *messageDBInstance) Processes() []int { return m.postgres.processes() }

func (m *messageDBInstance) Close() error {
	var err error
	if m.pool != nil {
		err = m.Flush(context.Background())
		m.pool.Close()
	}
	return errors.Join(err, m.postgres.close())
}

func (m *messageDBInstance) Append(ctx context.Context, stream string, next int64, events []harness.Event) error {
	return m.append(ctx, stream, &next, events)
}

func (m *messageDBInstance) AppendAny(ctx context.Context, stream string, events []harness.Event) error {
	return m.append(ctx, stream, nil, events)
}

func (m *messageDBInstance) append(ctx context.Context, stream string, next *int64, events []harness.Event) error {
	var err error
	if len(events) == 1 {
		_, err = m.pool.Exec(ctx, messageDBWrite, messageDBArguments(stream, next, 0, events[0])...)
	} else {
		// A batch is one transaction.
		batch := new(pgx.Batch)
		for i, e := range events {
			batch.Queue(messageDBWrite, messageDBArguments(stream, next, i, e)...)
		}
		err = m.pool.SendBatch(ctx, batch).Close()
	}
	if err != nil {
		return fmt.Errorf("append to %s: %w", stream, err)
	}
	return nil
}

// messageDBArguments returns the arguments of messageDBWrite for event number i.
func messageDBArguments(stream string, next *int64, i int, e harness.Event) []any {
	var expected *int64 // the number of the last event, -1 when there is none
	if next != nil {
		expected = new(*next + int64(i) - 1)
	}
	return []any{newUUID(), stream, messageDBData(e.Data), expected}
}

// messageDBData makes JSON of data, which is text without characters that JSON would
// escape: hexadecimal digits and the like.
func messageDBData(data []byte) string { return `{"d":"` + string(data) + `"}` }

// messageDBText extracts the data from what PostgreSQL makes of messageDBData.
func messageDBText(json []byte) ([]byte, error) {
	const before, after = `{"d": "`, `"}`
	if len(json) < len(before)+len(after) || string(json[:len(before)]) != before {
		return nil, fmt.Errorf("%.60q is not what was written", json)
	}
	return json[len(before) : len(json)-len(after)], nil
}

func newUUID() string {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// Fill writes a few thousand events per transaction.
func (m *messageDBInstance) Fill(ctx context.Context, stream string, next int64, events []harness.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, e := range events {
		m.filled.Queue(messageDBWrite, messageDBArguments(stream, &next, i, e)...)
	}
	if m.filled.Len() < 5000 {
		return nil
	}
	return m.flush(ctx)
}

func (m *messageDBInstance) Flush(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.flush(ctx)
}

func (m *messageDBInstance) flush(ctx context.Context) error {
	if m.filled.Len() == 0 {
		return nil
	}
	err := m.pool.SendBatch(ctx, m.filled).Close()
	m.filled = new(pgx.Batch)
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}

func (m *messageDBInstance) ReadStream(ctx context.Context, stream string, yield func([]byte)) error {
	return m.readPages(ctx, 1000, func(position, page int64) (pgx.Rows, error) {
		return m.pool.Query(ctx, messageDBRead, stream, position+1, page)
	}, func(json []byte) error {
		data, err := messageDBText(json)
		if err == nil {
			yield(data)
		}
		return err
	})
}

// ReadLog reads the table. It misses a transaction that commits after one with higher
// positions if the page was read in between.
func (m *messageDBInstance) ReadLog(ctx context.Context, yield func([]byte)) error {
	return m.readPages(ctx, 10_000, func(position, page int64) (pgx.Rows, error) {
		return m.pool.Query(ctx, messageDBLog, position, page)
	}, func(data []byte) error {
		yield(data)
		return nil
	})
}

// readPages runs the query, which returns the positions and texts after a position,
// until there are no more.
func (m *messageDBInstance) readPages(ctx context.Context, page int64, query func(position, page int64) (pgx.Rows, error), yield func([]byte) error) error {
	position := int64(-1)
	for {
		rows, err := query(position, page)
		if err != nil {
			return fmt.Errorf("read after %d: %w", position, err)
		}
		n := int64(0)
		var text pgtype.DriverBytes
		_, err = pgx.ForEachRow(rows, []any{&position, &text}, func() error {
			n++
			return yield(text)
		})
		if err != nil {
			return fmt.Errorf("read after %d: %w", position, err)
		}
		if n < page {
			return nil
		}
	}
}
