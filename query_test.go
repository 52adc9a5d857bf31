package fdbevents

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestQueryText(t *testing.T) {
	for text, want := range map[string]Query{
		`tag=a`:                 {Items: []QueryItem{{Tags: []string{"a"}}}},
		` type=A,B  tag=c:7 `:   {Items: []QueryItem{{Types: []string{"A", "B"}, Tags: []string{"c:7"}}}},
		`tag=a and tag=b`:       {Items: []QueryItem{{Tags: []string{"a", "b"}}}},
		`tag=a or type=B`:       {Items: []QueryItem{{Tags: []string{"a"}}, {Types: []string{"B"}}}},
		`tag=or or tag="x=\"y"`: {Items: []QueryItem{{Tags: []string{"or"}}, {Tags: []string{`x="y`}}}},
		`type="A, B"`:           {Items: []QueryItem{{Types: []string{"A, B"}}}},
		`all or tag=all`:        {Items: []QueryItem{{}, {Tags: []string{"all"}}}},
		`tag = größe`:           {Items: []QueryItem{{Tags: []string{"größe"}}}},
	} {
		got, err := ParseQuery(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	const form = `; want for example: type=A,B tag=X or tag="Y Z"`
	for text, reason := range map[string]string{
		``:                                `query "": is empty` + form,
		"  ":                              `query "  ": is empty` + form,
		`tags=a`:                          `query "tags=a": 1:1: unexpected token "tags"` + form,
		`tag=`:                            `query "tag=": 1:5: unexpected token "<EOF>" (expected (<word> | <quoted>))` + form,
		`tag=a or`:                        `query "tag=a or": 1:9: unexpected token "<EOF>" (expected ItemText)` + form,
		`tag="a`:                          `query "tag=\"a": 1:5: lexer: invalid input text "\"a"` + form,
		`type=A type=B`:                   `query "type=A type=B": has two lists of types in one item, but an event has one type: join the types with commas` + form,
		`tag="a\nb"`:                      `tag in query "a\nb": must not have control characters (found U+000A)`,
		`tag=""`:                          `tag in query "": must not be empty`,
		`tag=` + strings.Repeat("x", 257): `tag in query: 257 bytes, limit 256`,
	} {
		if _, err := ParseQuery(text); err == nil || err.Error() != reason {
			t.Errorf("%q: got  %v\nwant %s", text, err, reason)
		}
	}
}

func TestQueryTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return ValidateName("", string(r), 9) == nil }), 1, 20, 60)
		items := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) QueryItem {
			it := QueryItem{
				Types: rapid.SliceOfN(text, 0, 3).Draw(t, "types"),
				Tags:  rapid.SliceOfN(text, 0, 3).Draw(t, "tags"),
			}
			return it
		}), 1, 3).Draw(t, "items")
		q := Query{Items: items}
		got, err := ParseQuery(q.String())
		if err != nil || got.String() != q.String() {
			t.Fatalf("%s: its text parses as %s, %v", q, got, err)
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add(`type=A,B tag=x or tag="y z"`)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := ParseQuery(text)
		if err != nil {
			var invalid *InvalidError
			var limit *LimitError
			if !errors.As(err, &invalid) && !errors.As(err, &limit) {
				t.Errorf("%q: got %v, want an InvalidError or a LimitError", text, err)
			}
			return
		}
		if again, err := ParseQuery(q.String()); err != nil || !reflect.DeepEqual(again, q) {
			t.Errorf("%q: parsed as %s, whose text parses as %s, %v", text, q, again, err)
		}
	})
}
