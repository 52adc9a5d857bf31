// Command fdbevents appends to, reads and follows an event store.
//
// The table in exit.go says what its exit codes mean; so does its help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// When whoever reads our output goes away, the write fails and the store is
	// closed in order; the signal would end the process instead.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal is not caught any more, and ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
