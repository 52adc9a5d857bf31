package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	_ "github.com/mattn/go-sqlite3" // the driver; without cgo, a stub that fails

	"github.com/fdbevents/fdbevents/bench/harness"
)

func sqliteSystem() harness.System {
	return harness.System{
		Name: "sqlite", Kind: harness.Peer,
		About: "SQLite in the process, WAL, synchronous=FULL: one table, one writer, one transaction per append; no live readers, no groups",
		Open:  openSQLite,
	}
}

const sqliteSchema = `CREATE TABLE IF NOT EXISTS events (
	position INTEGER PRIMARY KEY,
	stream   TEXT NOT NULL,
	revision INTEGER NOT NULL,
	type     TEXT NOT NULL,
	data     BLOB NOT NULL,
	UNIQUE (stream, revision))`

// sqliteInstance has one connection for all writers, who take turns, and others for
// readers.
type sqliteInstance struct {
	db      *sql.DB
	version string
	stream  *sql.Stmt // a stream's events
	log     *sql.Stmt // a page of the log

	mu     sync.Mutex
	writer *sql.Conn
	head   *sql.Stmt // how many events a stream has
	insert *sql.Stmt
	// filled is the number of events in Fill's open transaction, 0 when there is none.
	filled int
}

func openSQLite(ctx context.Context, dir string) (harness.Instance, error) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "events.db")+
		"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=10000")
	if err != nil {
		return nil, fmt.Errorf("open SQLite: %w", err)
	}
	db.SetMaxIdleConns(16)
	s := &sqliteInstance{db: db}
	if err := s.prepare(ctx); err != nil {
		if strings.Contains(err.Error(), "CGO_ENABLED=0") { // the error of the driver's stub
			err = errors.Join(err, harness.ErrMissing)
		}
		return nil, errors.Join(fmt.Errorf("open SQLite: %w", err), s.Close())
	}
	return s, nil
}

func (s *sqliteInstance) prepare(ctx context.Context) (err error) {
	if s.writer, err = s.db.Conn(ctx); err != nil {
		return err
	}
	if err := s.writer.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&s.version); err != nil {
		return err
	}
	if _, err := s.writer.ExecContext(ctx, sqliteSchema); err != nil {
		return err
	}
	if s.head, err = s.writer.PrepareContext(ctx, "SELECT COALESCE(MAX(revision) + 1, 0) FROM events WHERE stream = ?"); err != nil {
		return err
	}
	if s.insert, err = s.writer.PrepareContext(ctx, "INSERT INTO events (stream, revision, type, data) VALUES (?, ?, 'event', ?)"); err != nil {
		return err
	}
	if s.stream, err = s.db.PrepareContext(ctx, "SELECT data FROM events WHERE stream = ? ORDER BY revision"); err != nil {
		return err
	}
	s.log, err = s.db.PrepareContext(ctx, "SELECT position, data FROM events WHERE position > ? ORDER BY position LIMIT 10000")
	return err
}

func (s *sqliteInstance) Version() string {
	return "SQLite " + s.version
}

func (s *sqliteInstance) Close() error {
	flushed := s.Flush(context.Background())
	if s.writer != nil {
		_ = s.writer.Close()
	}
	return errors.Join(flushed, s.db.Close())
}

func (s *sqliteInstance) Append(ctx context.Context, stream string, next int64, events []harness.Event) error {
	return s.append(ctx, stream, &next, events)
}

func (s *sqliteInstance) AppendAny(ctx context.Context, stream string, events []harness.Event) error {
	return s.append(ctx, stream, nil, events)
}

func (s *sqliteInstance) append(ctx context.Context, stream string, next *int64, events []harness.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.commit(); err != nil {
		return err
	}
	if err := s.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := s.write(stream, next, events)
	if err == nil {
		err = s.exec("COMMIT")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("append to %s: %w", stream, err), s.exec("ROLLBACK"))
	}
	return nil
}

// exec takes no context: one that can end costs a goroutine per statement, and these
// statements are short.
func (s *sqliteInstance) exec(statement string) error {
	if _, err := s.writer.ExecContext(context.Background(), statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// write inserts events in the open transaction.
func (s *sqliteInstance) write(stream string, next *int64, events []harness.Event) error {
	var head int64
	if err := s.head.QueryRow(stream).Scan(&head); err != nil {
		return fmt.Errorf("find the end of %s: %w", stream, err)
	}
	if next != nil && *next != head {
		return fmt.Errorf("%s has %d events, not %d", stream, head, *next)
	}
	for i, e := range events {
		if _, err := s.insert.Exec(stream, head+int64(i), e.Data); err != nil {
			return fmt.Errorf("insert event %d: %w", head+int64(i), err)
		}
	}
	return nil
}

// Fill keeps a transaction open for 10,000 events.
func (s *sqliteInstance) Fill(_ context.Context, stream string, next int64, events []harness.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.filled == 0 {
		if err := s.exec("BEGIN IMMEDIATE"); err != nil {
			return err
		}
	}
	if err := s.write(stream, &next, events); err != nil {
		s.filled = 0
		return errors.Join(fmt.Errorf("fill %s: %w", stream, err), s.exec("ROLLBACK"))
	}
	s.filled += len(events)
	if s.filled >= 10_000 {
		return s.commit()
	}
	return nil
}

func (s *sqliteInstance) Flush(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit()
}

// commit commits the transaction that Fill has left open.
func (s *sqliteInstance) commit() error {
	if s.filled == 0 {
		return nil
	}
	s.filled = 0
	return s.exec("COMMIT")
}

func (s *sqliteInstance) ReadStream(ctx context.Context, stream string, yield func([]byte)) error {
	rows, err := s.stream.QueryContext(ctx, stream)
	if err != nil {
		return fmt.Errorf("read %s: %w", stream, err)
	}
	defer rows.Close()
	for rows.Next() {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return fmt.Errorf("read %s: %w", stream, err)
		}
		yield(data)
	}
	return rows.Err()
}

// ReadLog reads pages, so that it does not keep the WAL from being checkpointed.
func (s *sqliteInstance) ReadLog(ctx context.Context, yield func([]byte)) error {
	var position int64
	for {
		last, err := s.readPage(ctx, position, yield)
		if err != nil {
			return fmt.Errorf("read the log after %d: %w", position, err)
		}
		if last == position {
			return nil
		}
		position = last
	}
}

// readPage returns the position of the last event that it read.
func (s *sqliteInstance) readPage(ctx context.Context, position int64, yield func([]byte)) (int64, error) {
	rows, err := s.log.QueryContext(ctx, position)
	if err != nil {
		return position, err
	}
	defer rows.Close()
	for rows.Next() {
		var data sql.RawBytes
		if err := rows.Scan(&position, &data); err != nil {
			return position, err
		}
		yield(data)
	}
	return position, rows.Err()
}
