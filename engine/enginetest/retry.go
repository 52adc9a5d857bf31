package enginetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
)

func retryCases() []testCase {
	return []testCase{
		{"a retry loop commits once after conflicts", runRetries},
		{"a retry loop returns the function's own error unchanged", runReturnsOwnError},
		{"counters incremented from many goroutines are exact", counters},
		{"transfers between accounts keep the sum that every reader sees", transfers},
		{"a queue hands each item to exactly one taker", queue},
	}
}

func runRetries(f *fixture) {
	f.put("a", "0")
	var priors []error
	err := engine.Run(f.ctx, f.engine, func(tr engine.Transaction, prior error) error {
		priors = append(priors, prior)
		got, err := tr.Get(f.key("a")).Get()
		if err != nil {
			return err
		}
		if len(priors) <= 2 {
			f.put("a", fmt.Sprint(len(priors)))
		}
		tr.Set(f.key("b"), append(got, '!'))
		tr.Set(f.key(fmt.Sprint("attempt", len(priors))), nil)
		return nil
	})
	if err != nil {
		f.Fatalf("run: %v", err)
	}
	if len(priors) != 3 || priors[0] != nil {
		f.Fatalf("errors before the attempts: %v", priors)
	}
	f.wantError("the second attempt's prior", priors[1], engine.ErrConflict)
	f.wantError("the third attempt's prior", priors[2], engine.ErrConflict)
	f.wantContents("a=2 attempt3= b=2!")
}

func runReturnsOwnError(f *fixture) {
	own := errors.New("wrong expected revision")
	for _, want := range []error{own, fmt.Errorf("wrapped: %w", own), engine.ErrUnreadable} {
		attempts := 0
		err := engine.Run(f.ctx, f.engine, func(tr engine.Transaction, _ error) error {
			attempts++
			f.wantAbsent(tr, "a")
			tr.Set(f.key("a"), []byte("1"))
			return want
		})
		if err != want || attempts != 1 {
			f.Fatalf("%d attempts, %v, want %v", attempts, err, want)
		}
	}
	f.wantContents("")
}

func counters(f *fixture) {
	const workers, counts = 8, 12
	var running sync.WaitGroup
	var attempts atomic.Int64
	for w := range workers {
		running.Go(func() {
			for range counts {
				err := engine.Run(f.ctx, f.engine, func(tr engine.Transaction, prior error) error {
					attempts.Add(1)
					if engine.MaybeCommitted(prior) {
						return fmt.Errorf("may have counted: %w", prior)
					}
					for _, name := range []string{"all", fmt.Sprint("mine ", w)} {
						got, err := tr.Get(f.key(name)).Get()
						if err != nil {
							return err
						}
						n := 0
						if got != nil {
							if _, err := fmt.Sscan(string(got), &n); err != nil {
								return err
							}
						}
						tr.Set(f.key(name), fmt.Append(nil, n+1))
					}
					return nil
				})
				if err != nil {
					f.Errorf("run: %v", err)
					return
				}
			}
		})
	}
	running.Wait()
	f.Logf("%d commits in %d attempts", workers*counts, attempts.Load())
	tr := f.begin()
	f.wantGet(tr, "all", fmt.Sprint(workers*counts))
	for w := range workers {
		f.wantGet(tr, fmt.Sprint("mine ", w), fmt.Sprint(counts))
	}
}

func transfers(f *fixture) {
	const accounts, workers, moves, start = 6, 4, 15, 100
	f.write(func(tr engine.Transaction) {
		for i := range accounts {
			tr.Set(f.key(fmt.Sprint(i)), fmt.Append(nil, start))
		}
	})
	sum := func(tr engine.Reader) (total int, err error) {
		page, err := tr.GetRange(f.all(), engine.RangeOptions{}).Get()
		for _, kv := range page.KeyValues {
			n := 0
			if _, err := fmt.Sscan(string(kv.Value), &n); err != nil {
				return 0, err
			}
			total += n
		}
		return total, err
	}
	var moving sync.WaitGroup
	for w := range workers {
		moving.Go(func() {
			for i := range moves {
				from, to := (w+i)%accounts, (w*3+i*5+1)%accounts
				if from == to {
					continue
				}
				err := engine.Run(f.ctx, f.engine, func(tr engine.Transaction, _ error) error {
					type side struct {
						account, change int
						balance         engine.Future[[]byte]
					}
					sides := []side{{account: from, change: -1}, {account: to, change: 1}}
					for i := range sides {
						sides[i].balance = tr.Get(f.key(fmt.Sprint(sides[i].account)))
					}
					for _, s := range sides {
						got, err := s.balance.Get()
						if err != nil {
							return err
						}
						n := 0
						if _, err := fmt.Sscan(string(got), &n); err != nil {
							return err
						}
						tr.Set(f.key(fmt.Sprint(s.account)), fmt.Append(nil, n+s.change))
					}
					return nil
				})
				if err != nil {
					f.Errorf("run: %v", err)
					return
				}
			}
		})
	}
	moved := f.start(moving.Wait)
	for done := false; !done; {
		select {
		case <-moved:
			done = true
		default:
		}
		tr := f.begin()
		if total, err := sum(tr.Snapshot()); err != nil || total != accounts*start {
			f.Fatalf("the sum is %d, %v, want %d", total, err, accounts*start)
		}
		tr.Cancel()
	}
}

func queue(f *fixture) {
	const items, takers = 40, 5
	f.write(func(tr engine.Transaction) {
		for i := range items {
			tr.Set(f.key(fmt.Sprintf("queue/%04d", i)), fmt.Append(nil, i))
		}
	})
	taken := make(chan string, 2*items)
	var taking sync.WaitGroup
	for range takers {
		taking.Go(func() {
			for {
				var item string
				err := engine.Run(f.ctx, f.engine, func(tr engine.Transaction, prior error) error {
					if engine.MaybeCommitted(prior) {
						return fmt.Errorf("may have taken an item: %w", prior)
					}
					item = ""
					page, err := tr.GetRange(f.span("queue/", "queue0"), engine.RangeOptions{Limit: 1}).Get()
					if err != nil || len(page.KeyValues) == 0 {
						return err
					}
					item = string(page.KeyValues[0].Value)
					tr.Clear(page.KeyValues[0].Key)
					return nil
				})
				if err != nil {
					f.Errorf("run: %v", err)
					return
				}
				if item == "" {
					return
				}
				taken <- item
			}
		})
	}
	taking.Wait()
	close(taken)
	seen := map[string]bool{}
	for item := range taken {
		if seen[item] {
			f.Errorf("item %s was taken twice", item)
		}
		seen[item] = true
	}
	if len(seen) != items {
		f.Fatalf("%d of %d items were taken", len(seen), items)
	}
	f.wantContents("")
}
