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
		"its prefix":           {Filter{StreamPrefixes: []string{"order-"}}, true},
		"one of two prefixes":  {Filter{StreamPrefixes: []string{"invoice-", "order-"}}, true},
		"another prefix":       {Filter{StreamPrefixes: []string{"invoice-"}}, false},
		"its type's prefix":    {Filter{TypePrefixes: []string{"Order"}}, true},
		"another type":         {Filter{TypePrefixes: []string{"Invoice", "Payment"}}, false},
		"its tag":              {Filter{Query: tagged("customer:7")}, true},
		"another tag":          {Filter{Query: tagged("customer:8")}, false},
		"all parts":            {Filter{"order-1", []string{"o"}, []string{"OrderPlaced"}, tagged("customer:7")}, true},
		"all parts but one":    {Filter{"order-1", []string{"o"}, []string{"OrderShipped"}, tagged("customer:7")}, false},
		"streams with prefix":  {InStreams("order-"), true},
		"streams with another": {InStreams("x"), false},
		"streams with any":     {InStreams(""), true},
	} {
		if got := c.filter.Matches(ev); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if c.filter.All() && !c.want {
			t.Errorf("%s: it claims to select everything", name)
		}
	}
}

func TestFilterValidate(t *testing.T) {
	for _, f := range []Filter{
		{Stream: "$all"}, {Stream: "a\x00"}, {StreamPrefixes: []string{""}}, {StreamPrefixes: []string{"a", "\n"}},
		{TypePrefixes: []string{""}}, {Query: Query{Items: []QueryItem{{Tags: []string{""}}}}},
	} {
		if err := f.Validate(); KindOf(err) != Invalid {
			t.Errorf("%+v: %v", f, err)
		}
	}
	if err := (&Filter{Stream: "a", StreamPrefixes: []string{"b"}, TypePrefixes: []string{"C"}}).Validate(); err != nil {
		t.Error(err)
	}
}
