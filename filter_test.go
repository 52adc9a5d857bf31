package fdbevents

import "testing"

func TestFilterMatches(t *testing.T) {
	ev := &Event{Stream: "order-1", Type: "OrderPlaced", Tags: []string{"customer:7"}}
	tagged := func(tag string) Query { return Query{Items: []QueryItem{{Tags: []string{tag}}}} }
	for name, c := range map[string]struct {
		filter Filter
		want   bool
	}{
		"everything":           {Filter{}, true},
		"its stream":           {Filter{Stream: "order-1"}, true},
		"another stream":       {Filter{Stream: "order-10"}, false},
		"a prefix of it":       {Filter{StreamPrefixes: []string{"order-"}}, true},
		"one of two prefixes":  {Filter{StreamPrefixes: []string{"invoice-", "order-"}}, true},
		"another prefix":       {Filter{StreamPrefixes: []string{"invoice-"}}, false},
		"a prefix of its type": {Filter{TypePrefixes: []string{"Order"}}, true},
		"another type":         {Filter{TypePrefixes: []string{"Invoice", "Payment"}}, false},
		"its tag":              {Filter{Query: tagged("customer:7")}, true},
		"another tag":          {Filter{Query: tagged("customer:8")}, false},
		"every part":           {Filter{"order-1", []string{"o"}, []string{"OrderPlaced"}, tagged("customer:7")}, true},
		"every part but one":   {Filter{"order-1", []string{"o"}, []string{"OrderShipped"}, tagged("customer:7")}, false},
		"InStreams, a prefix":  {InStreams("order-"), true},
		"InStreams, another":   {InStreams("x"), false},
		"InStreams, empty":     {InStreams(""), true},
	} {
		if got := c.filter.Matches(ev); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
		if c.filter.All() && !c.want {
			t.Errorf("%s: All says that it selects everything", name)
		}
	}
}

func TestFilterValidate(t *testing.T) {
	for _, f := range []Filter{
		{Stream: "$all"}, {Stream: "a\x00"}, {StreamPrefixes: []string{""}}, {StreamPrefixes: []string{"a", "\n"}},
		{TypePrefixes: []string{""}}, {Query: Query{Items: []QueryItem{{Tags: []string{""}}}}},
	} {
		if err := f.Validate(); KindOf(err) != Invalid {
			t.Errorf("%+v: got %v, want kind Invalid", f, err)
		}
	}
	if err := (&Filter{Stream: "a", StreamPrefixes: []string{"b"}, TypePrefixes: []string{"C"}}).Validate(); err != nil {
		t.Error(err)
	}
}
