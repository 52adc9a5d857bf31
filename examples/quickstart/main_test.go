package main

import (
	"strings"
	"testing"
)

func TestQuickstart(t *testing.T) {
	const want = `refused: wrong expected revision of stream "order-1": expected none, but its last revision is 0
read: order-1@0 OrderPlaced {"items":3}
read: order-1@1 OrderShipped 
subscribed: order-1@0 OrderPlaced
subscribed: order-1@1 OrderShipped
subscribed: order-2@0 OrderPlaced
shipped: 1
`
	var out strings.Builder
	if err := run(t.Context(), "mem:", &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
