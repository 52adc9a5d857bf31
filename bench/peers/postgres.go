package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgres is a PostgreSQL server on its own cluster, reached only by a socket.
type postgres struct {
	server  *child
	sockets string // a directory
	cluster string // a directory
	uid     int    // owner of the cluster
	gid     int
}

// postgresFolders lists where distributions keep the programs, off the PATH.
var postgresFolders = []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin"}

// startPostgres starts a server on the cluster in the directory, and creates the
// cluster if there is none.
func startPostgres(ctx context.Context, dir string) (*postgres, error) {
	program, err := find("postgres", "postgresql", postgresFolders...)
	if err != nil {
		return nil, err
	}
	p := &postgres{cluster: filepath.Join(dir, "cluster"), uid: os.Geteuid(), gid: os.Getegid()}
	if err := p.start(ctx, program, filepath.Join(dir, "postgres.log")); err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w", err), p.close())
	}
	return p, nil
}

func (p *postgres) start(ctx context.Context, program, log string) (err error) {
	if p.uid == 0 {
		if err := p.becomeUser(); err != nil {
			return err
		}
	}
	if err := p.initialize(ctx, program); err != nil {
		return err
	}
	if p.sockets, err = socketFolder(); err != nil {
		return err
	}
	if err := os.Chown(p.sockets, p.uid, p.gid); err != nil {
		return fmt.Errorf("give the directory for the socket to the server's user: %w", err)
	}
	cmd := p.command(context.WithoutCancel(ctx), program, "-D", p.cluster, "-k", p.sockets)
	for _, setting := range []string{
		"listen_addresses=", "fsync=on", "synchronous_commit=on",
		"shared_buffers=512MB", "max_connections=300", "max_wal_size=4GB",
	} {
		cmd.Args = append(cmd.Args, "-c", setting)
	}
	if p.server, err = startChild(cmd, log); err != nil {
		return err
	}
	return p.server.await(ctx, func(ctx context.Context) error {
		c, err := pgconn.Connect(ctx, p.address("postgres"))
		if err != nil {
			return err
		}
		return c.Close(ctx)
	})
}

// becomeUser makes the server run as user postgres, because it refuses to run as root.
func (p *postgres) becomeUser() error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("it does not run as root, but as user postgres: %w", err)
	}
	p.uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	p.gid, err = strconv.Atoi(u.Gid)
	return err
}

// initialize creates the cluster. Its user has no password: only those who may open
// the socket's directory get in.
func (p *postgres) initialize(ctx context.Context, program string) error {
	if _, err := os.Stat(filepath.Join(p.cluster, "PG_VERSION")); err == nil {
		return nil
	}
	if err := os.MkdirAll(p.cluster, 0o700); err != nil {
		return err
	}
	if err := os.Chown(p.cluster, p.uid, p.gid); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	cmd := p.command(ctx, filepath.Join(filepath.Dir(program), "initdb"),
		"-D", p.cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", errors.Join(err, ctx.Err()), out)
	}
	return nil
}

// command returns a command that runs as the cluster's owner.
func (p *postgres) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	if p.uid != os.Geteuid() {
		runAs(cmd, p.uid, p.gid)
	}
	return cmd
}

// address returns the address of a database for clients.
func (p *postgres) address(database string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s", p.sockets, database)
}

func (p *postgres) processes() []int { return p.server.processes() }

// close stops the server, which rolls back its clients' transactions.
func (p *postgres) close() error {
	const fast = syscall.SIGINT
	err := p.server.stop(fast)
	if p.sockets != "" {
		err = errors.Join(err, os.RemoveAll(p.sockets))
	}
	return err
}
