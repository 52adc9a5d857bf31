package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/jackc/pgx/v5/pgconn"
)

// messageDBVersion is the version of the package, and what message_store_version
// returns.
const messageDBVersion = "1.3.1"

// messageDBFiles lists the package's SQL in the order of its own install.sh, after
// roles/message-store.sql and the creation of the database.
var messageDBFiles = []string{
	"schema/message-store", "extensions/pgcrypto", "tables/messages",
	"types/message",
	"functions/message-store-version", "functions/hash-64", "functions/acquire-lock", "functions/category",
	"functions/is-category", "functions/id", "functions/cardinal-id", "functions/stream-version",
	"functions/write-message", "functions/get-stream-messages", "functions/get-category-messages",
	"functions/get-last-stream-message",
	"indexes/messages-id", "indexes/messages-stream", "indexes/messages-category",
	"views/stream-summary", "views/type-summary", "views/stream-type-summary", "views/type-stream-summary",
	"views/category-type-summary", "views/type-category-summary",
	"privileges/schema", "privileges/table", "privileges/sequence", "privileges/functions", "privileges/views",
}

// installMessageDB creates the database as message-db's own script does.
func installMessageDB(ctx context.Context, p *postgres) error {
	files, err := messageDBPackage(ctx)
	if err != nil {
		return err
	}
	// Start over if only half is installed.
	err = execute(ctx, p.address("postgres"), "DROP DATABASE IF EXISTS message_store", files["roles/message-store"], "CREATE DATABASE message_store")
	if err != nil {
		return err
	}
	statements := make([]string, 0, len(messageDBFiles))
	for _, name := range messageDBFiles {
		text, ok := files[name]
		if !ok {
			return fmt.Errorf("message-db %s has no %s.sql", messageDBVersion, name)
		}
		statements = append(statements, text)
	}
	return execute(ctx, p.address("message_store"), statements...)
}

// execute runs texts of several statements each.
func execute(ctx context.Context, address string, texts ...string) error {
	c, err := pgconn.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	for _, text := range texts {
		if _, err := c.Exec(ctx, text).ReadAll(); err != nil {
			return fmt.Errorf("execute %.60q: %w", text, err)
		}
	}
	return nil
}

// messageDBPackage returns the package's SQL files by name, such as "tables/messages".
// The package is fetched once and kept in the user's cache.
func messageDBPackage(ctx context.Context) (map[string]string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("look for message-db's SQL: %w", err)
	}
	folder := filepath.Join(cache, "fdbevents-bench")
	name := filepath.Join(folder, "eventide-message-db-"+messageDBVersion+".tgz")
	archive, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		if err = fetchMessageDB(ctx, folder, name); err == nil {
			archive, err = os.ReadFile(name)
		}
	}
	if err != nil {
		return nil, err
	}
	files, err := unpackSQL(archive)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w; remove the file to fetch it again", name, err)
	}
	return files, nil
}

// fetchMessageDB makes npm fetch the package to a file.
func fetchMessageDB(ctx context.Context, folder, name string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	// Another process may fetch it at the same time, so each fetches into its own
	// directory and then renames the file.
	own, err := os.MkdirTemp(folder, "fetch")
	if err != nil {
		return err
	}
	defer os.RemoveAll(own)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "@eventide/message-db@"+messageDBVersion)
	cmd.Dir = own
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("message-db's SQL is not in %s, and npm pack cannot fetch it: %w: %s: %w",
			name, errors.Join(err, ctx.Err()), bytes.TrimSpace(out), harness.ErrMissing)
	}
	return os.Rename(filepath.Join(own, filepath.Base(name)), name)
}

func unpackSQL(archive []byte) (map[string]string, error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	files := make(map[string]string)
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		name, sql := strings.CutSuffix(strings.TrimPrefix(h.Name, "package/database/"), ".sql")
		if !sql {
			continue
		}
		text, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		files[name] = string(text)
	}
}
