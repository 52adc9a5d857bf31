package main

import (
	"context"
	"fmt"
)

// stopped replaces err by the cause of ctx's end, if ctx has ended.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	return err
}
