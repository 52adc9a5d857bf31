package main

import (
	"context"
	"fmt"
)

// stopped says why, when err comes from the end of ctx.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	return err
}
