package main

import (
	"context"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
)

// countingEngine counts the keys that snapshot reads touch: the key of each Get,
// found or not, and each key that a GetRange returns.
type countingEngine struct {
	engine.Engine
	keys atomic.Int64
}

func (c *countingEngine) Begin(ctx context.Context) engine.Transaction {
	return countingTransaction{c.Engine.Begin(ctx), c}
}

type countingTransaction struct {
	engine.Transaction
	counts *countingEngine
}

func (t countingTransaction) Snapshot() engine.Reader {
	return countingReader{t.Transaction.Snapshot(), t.counts}
}

type countingReader struct {
	engine.Reader
	counts *countingEngine
}

func (r countingReader) Get(key []byte) engine.Future[[]byte] {
	r.counts.keys.Add(1)
	return r.Reader.Get(key)
}

func (r countingReader) GetRange(rg engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	f := r.Reader.GetRange(rg, o)
	return countedPage{f, r.counts}
}

type countedPage struct {
	engine.Future[engine.Page]
	counts *countingEngine
}

func (p countedPage) Get() (engine.Page, error) {
	page, err := p.Future.Get()
	p.counts.keys.Add(int64(len(page.KeyValues)))
	return page, err
}
