package fdblayer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// claim is an event of these histories, written as "017 x ab ": its name, type and
// tags, in columns.
type claim string

const (
	claimSize = len("017 x ab ")
	claimTags = "abcd"
)

func newClaim(name int64, typ string, tags string) claim {
	return claim(fmt.Sprintf("%03d %s %-2s ", name%1000, typ, tags))
}

func (c claim) name() string   { return string(c[:3]) }
func (c claim) typ() string    { return string(c[4:5]) }
func (c claim) tags() []string { return strings.Split(strings.TrimSpace(string(c[6:8])), "") }

// claims splits a text of several claims, one after another.
func claims(text string) (all []claim) {
	for ; text != ""; text = text[claimSize:] {
		all = append(all, claim(text[:claimSize]))
	}
	return all
}

// logAsked is an append of claims, or a read of those that a query selects.
type logAsked struct {
	claims string
	// query is the query of a read, or of an append's condition: an append has a
	// condition when the query has items.
	query fdbevents.Query
	// after is the name of the event at the condition's position.
	after string
}

// logTold is the answer to a logAsked.
type logTold struct {
	outcome plannedResult
	// place is the place of the append's first event in the final log.
	place  int
	repeat bool
	// offending is the name of the event that broke the condition.
	offending string
	// claims are the claims that a read returned.
	claims string
	// position is what the store returned: the position of the last event, or of the
	// event that broke the condition. resolve turns it into place or offending.
	position fdbevents.Position
}

func (a logAsked) String() string {
	text := "read"
	if a.claims != "" {
		text = "append " + strings.TrimSpace(a.claims)
	}
	if len(a.query.Items) > 0 {
		text += ", " + a.query.String()
		if a.claims != "" {
			text = strings.Replace(text, ",", " if no event after "+a.after+" has", 1)
		}
	}
	return text
}

func (a logTold) String() string {
	switch {
	case a.outcome == unknown:
		return fmt.Sprintf("unknown, at place %d in the end", a.place)
	case a.outcome == failed:
		return "failed"
	case a.offending != "":
		return "broken by " + a.offending
	case a.repeat:
		return fmt.Sprintf("repeat, at place %d", a.place)
	case a.claims != "":
		return "read " + a.claims
	}
	return fmt.Sprintf("placed at %d", a.place)
}

// logHistory is the model of the log: the claims in it, in order. The history must be
// explained by the order of the log, not merely by some order.
var logHistory = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		return stepLog(state.(string), input.(logAsked), output.(logTold))
	},
}

func stepLog(state string, asked logAsked, told logTold) (bool, string) {
	if asked.claims == "" {
		return told.claims == matching(state, asked.query), state
	}
	there := strings.Contains(state, asked.claims)
	isNext := !there && told.place == len(state)/claimSize
	switch {
	case told.outcome == failed, told.outcome == unknown && there:
		return true, state
	case told.repeat:
		return there && state[told.place*claimSize:][:len(asked.claims)] == asked.claims, state
	}
	offending := ""
	if len(asked.query.Items) > 0 {
		seen := 0
		if asked.after != "" {
			// The client knew that event before it asked.
			if seen = strings.Index(state, asked.after+" ") + claimSize; seen < claimSize {
				return false, state
			}
		}
		if broken := claims(matching(state[seen:], asked.query)); len(broken) > 0 {
			offending = broken[0].name()
		}
	}
	if told.offending != "" || offending != "" {
		return !there && told.offending == offending, state
	}
	return isNext, state + asked.claims
}

func matching(text string, q fdbevents.Query) (out string) {
	for _, c := range claims(text) {
		if q.Matches(c.typ(), c.tags()) {
			out += string(c)
		}
	}
	return out
}

// TestConditionHistory appends with and without conditions from many clients, to
// streams that play no part. The answers must be the same as if the appends had come
// one after another, in the order of the log.
func TestConditionHistory(t *testing.T) {
	var names atomic.Int64
	eachHistory(t, func(c *historyClient) {
		client := conditionClient{historyClient: c, names: make(map[fdbevents.Position]string)}
		var unclear []logAsked
		for range 20 {
			asked := logAsked{}
			switch kind := c.rng.IntN(10); {
			case kind < 2 && len(unclear) > 0:
				client.append(unclear[c.rng.IntN(len(unclear))])
				continue
			case kind < 4:
				asked.query = client.query(c.rng.IntN(3))
				client.read(asked)
				continue
			case kind < 9:
				asked.query = client.query(1 + c.rng.IntN(2))
				if c.rng.IntN(4) > 0 {
					asked.after = client.names[client.last]
				}
			}
			for range 1 + c.rng.IntN(2) {
				i := c.rng.IntN(len(claimTags))
				asked.claims += string(newClaim(names.Add(1), []string{"x", "y"}[c.rng.IntN(2)], claimTags[i:min(len(claimTags), i+1+c.rng.IntN(2))]))
			}
			if client.append(asked) == unknown || c.rng.IntN(8) == 0 {
				unclear = append(unclear, asked)
			}
		}
	}, func(t *testing.T, h *history, s *fdblayer.Store) {
		client := conditionClient{historyClient: &historyClient{history: h, t: t, id: 99, store: s}, names: make(map[fdbevents.Position]string)}
		client.read(logAsked{})
		h.ops = client.resolve(h.ops)
		if why := refuted(logHistory, h.ops); why != "" {
			t.Error(why)
		}
	})
}

// conditionClient knows the names of the events that it has met, by position, and the
// last of these positions.
type conditionClient struct {
	*historyClient
	names map[fdbevents.Position]string
	last  fdbevents.Position
}

func (c *conditionClient) met(name string, at fdbevents.Position) {
	c.names[at] = name
	if c.last.Before(at) {
		c.last = at
	}
}

// query draws a query whose items ask for one or two tags, with or without a type, or
// for a type alone.
func (c *conditionClient) query(items int) (q fdbevents.Query) {
	for range items {
		var it fdbevents.QueryItem
		first := c.rng.IntN(len(claimTags))
		for _, tag := range claimTags[first:min(len(claimTags), first+c.rng.IntN(3))] {
			it.Tags = append(it.Tags, string(tag))
		}
		if len(it.Tags) == 0 || c.rng.IntN(3) == 0 {
			it.Types = []string{[]string{"x", "y"}[c.rng.IntN(2)]}
		}
		q.Items = append(q.Items, it)
	}
	return q
}

// append appends each claim to the stream that the claim's name chooses, on a condition
// if the query has items.
func (c *conditionClient) append(asked logAsked) (out plannedResult) {
	var appends []fdbevents.StreamAppend
	all := claims(asked.claims)
	for _, claim := range all {
		ev := storetest.EventWithID(claim.typ(), claim.name())
		ev.Data, ev.Tags = []byte(claim), claim.tags()
		appends = append(appends, storetest.AppendTo("s"+claim.name()[2:], ev))
	}
	condition := fdbevents.Condition{Query: asked.query}
	for at, name := range c.names {
		if name == asked.after {
			condition.After = at
		}
	}
	ctx, cancel := c.context()
	defer cancel()
	c.do(c.id, asked, func() (any, plannedResult) {
		var results []fdbevents.AppendResult
		var err error
		if len(asked.query.Items) == 0 {
			results, err = c.store.AppendMany(ctx, appends...)
		} else {
			results, err = c.store.AppendIf(ctx, condition, appends...)
		}
		told := logTold{outcome: c.outcome(err)}
		out = told.outcome
		var broken *fdbevents.ConditionError
		switch {
		case errors.As(err, &broken):
			told.offending, told.position = "some event", broken.Position
		case err == nil:
			for i, r := range results {
				c.met(all[i].name(), r.Position)
				told.position, told.repeat = r.Position, r.Repeat
			}
		case told.outcome == done:
			c.t.Errorf("client %d: %v: %v", c.id, asked, err)
		}
		return told, told.outcome
	})
	return out
}

func (c *conditionClient) read(asked logAsked) {
	c.do(c.id, asked, func() (any, plannedResult) {
		var told logTold
		for ev, err := range c.store.ReadAll(c.t.Context(), fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: asked.query}}) {
			switch {
			case c.flaky && errors.Is(err, engine.ErrTimedOut):
				return told, silent
			case err != nil:
				c.t.Errorf("client %d: %v: %v", c.id, asked, err)
				return told, silent
			}
			told.claims += string(ev.Data)
			c.met(claim(ev.Data).name(), ev.Position)
		}
		return told, done
	})
}

// resolve replaces positions with places and names, which the client knows once it has
// read the whole log, and leaves out appends that never happened.
func (c *conditionClient) resolve(ops []porcupine.Operation) (resolved []porcupine.Operation) {
	places := make(map[string]int)
	for at, name := range c.names {
		places[name] = 0
		for other := range c.names {
			if other.Before(at) {
				places[name]++
			}
		}
	}
	for _, op := range ops {
		asked, told := op.Input.(logAsked), op.Output.(logTold)
		if asked.claims == "" {
			resolved = append(resolved, op)
			continue
		}
		name := c.names[told.position]
		all := claims(asked.claims)
		place, there := places[all[0].name()]
		switch told.place = place; {
		case told.offending != "" && name == "":
			c.t.Errorf("%v: got a condition broken at %s, where the log has no event", asked, told.position)
		case told.offending != "":
			told.offending = name
		case told.outcome == done && name != all[len(all)-1].name():
			c.t.Errorf("%v: got position %s, where the log has %q", asked, told.position, name)
		case told.outcome == unknown && !there:
			continue
		}
		op.Output = told
		resolved = append(resolved, op)
	}
	return resolved
}

// TestConditionHistoriesThatAreWrong checks histories made by hand, as
// TestStreamHistoriesThatAreWrong does.
func TestConditionHistoriesThatAreWrong(t *testing.T) {
	x, y := newClaim(1, "x", "a"), newClaim(2, "x", "a")
	onTag := func(c claim, after string) logAsked {
		return logAsked{claims: string(c), query: storetest.Query(fdbevents.QueryItem{Tags: []string{"a"}}), after: after}
	}
	op := func(call, ret int64, asked logAsked, told logTold) porcupine.Operation {
		return porcupine.Operation{Input: asked, Call: call, Output: told, Return: ret}
	}
	for _, c := range []struct {
		what  string
		right bool
		ops   []porcupine.Operation
	}{
		{"one of two wins", true, []porcupine.Operation{
			op(0, 9, onTag(x, ""), logTold{place: 0}), op(1, 8, onTag(y, ""), logTold{offending: "001"}),
		}},
		{"both win", false, []porcupine.Operation{
			op(0, 9, onTag(x, ""), logTold{place: 0}), op(1, 8, onTag(y, ""), logTold{place: 1}),
		}},
		{"the second knows the first", true, []porcupine.Operation{
			op(0, 1, onTag(x, ""), logTold{place: 0}), op(2, 3, onTag(y, "001"), logTold{place: 1}),
		}},
		{"broken by an event that the writer knew", false, []porcupine.Operation{
			op(0, 1, onTag(x, ""), logTold{place: 0}), op(2, 3, onTag(y, "001"), logTold{offending: "001"}),
		}},
		{"broken by an event that comes later", false, []porcupine.Operation{
			op(0, 1, onTag(x, ""), logTold{offending: "002"}), op(2, 3, onTag(y, ""), logTold{place: 0}),
		}},
		{"the log has another order", false, []porcupine.Operation{
			op(0, 1, logAsked{claims: string(x)}, logTold{place: 1}), op(2, 3, logAsked{claims: string(y)}, logTold{place: 0}),
		}},
		{"an unknown append breaks a condition, and is in the log", true, []porcupine.Operation{
			op(0, ever, onTag(x, ""), logTold{outcome: unknown, place: 0}), op(2, 3, onTag(y, ""), logTold{offending: "001"}),
		}},
		{"an unknown append is in the log despite its condition", false, []porcupine.Operation{
			op(0, 1, onTag(x, ""), logTold{place: 0}), op(2, ever, onTag(y, ""), logTold{outcome: unknown, place: 1}),
			op(4, 5, logAsked{}, logTold{claims: string(x + y)}),
		}},
	} {
		if why := refuted(logHistory, slices.Clone(c.ops)); (why == "") != c.right {
			t.Errorf("%s: want right %t, got the opposite; %s", c.what, c.right, why)
		}
	}
}
