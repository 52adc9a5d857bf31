package fdbevents

import (
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// This is the grammar of a query's text form. A word stands for itself; text that
// contains spaces, commas, quotes or equals signs is written in double quotes, as in
// Go.
type (
	queryText struct {
		Items []itemText `parser:"@@ ('or' @@)*"`
	}
	itemText struct {
		All   bool       `parser:"  @'all'"`
		Terms []termText `parser:"| @@ ('and'? @@)*"`
	}
	termText struct {
		Types []string `parser:"  'type' '=' @(Word|Quoted) (',' @(Word|Quoted))*"`
		Tag   *string  `parser:"| 'tag' '=' @(Word|Quoted)"`
	}
)

// newQueryParser builds a parser. Each text gets a new one: building is cheap, and
// parsing is rare.
func newQueryParser() (*participle.Parser[queryText], error) {
	tokens, err := lexer.NewSimple([]lexer.SimpleRule{
		{Name: "Quoted", Pattern: `"(\\.|[^"\\])*"`},
		{Name: "Sign", Pattern: `[=,]`},
		{Name: "Word", Pattern: `[^\s",=]+`},
		{Name: "Space", Pattern: `\s+`},
	})
	if err != nil {
		return nil, err
	}
	return participle.Build[queryText](participle.Lexer(tokens), participle.Elide("Space"), participle.Unquote("Quoted"))
}

// ParseQuery parses the text form of a query:
//
//	type=OrderPlaced,OrderShipped tag=customer:7 or tag="with space"
//
// Items are joined by "or". An item names types, one of which an event must have, and
// tags, all of which it must have. The item "all" matches every event. A text without
// items, or with a type or tag that no event can have, is an error: an *InvalidError
// or a *LimitError.
func ParseQuery(text string) (Query, error) {
	invalid := func(reason string) (Query, error) {
		return Query{}, &InvalidError{What: "query", Value: text, Reason: reason + `; want for example: type=A,B tag=X or tag="Y Z"`}
	}
	if strings.TrimSpace(text) == "" {
		return invalid("is empty")
	}
	parser, err := newQueryParser()
	if err != nil {
		return Query{}, err
	}
	parsed, err := parser.ParseString("", text)
	if err != nil {
		return invalid(err.Error())
	}
	var q Query
	for _, item := range parsed.Items {
		var it QueryItem
		for _, term := range item.Terms {
			switch {
			case term.Tag != nil:
				it.Tags = append(it.Tags, *term.Tag)
			case it.Types != nil:
				return invalid("has two lists of types in one item, but an event has one type: join the types with commas")
			default:
				it.Types = term.Types
			}
		}
		q.Items = append(q.Items, it)
	}
	return q, q.Validate()
}

// String returns the text form that ParseQuery parses; it is empty for the zero Query.
func (q Query) String() string {
	var b strings.Builder
	for i, it := range q.Items {
		if i > 0 {
			b.WriteString(" or ")
		}
		if len(it.Types)+len(it.Tags) == 0 {
			b.WriteString("all")
		}
		for j, t := range it.Types {
			if j == 0 {
				b.WriteString("type=")
			} else {
				b.WriteByte(',')
			}
			b.WriteString(quoteWord(t))
		}
		for j, tag := range it.Tags {
			if j > 0 || len(it.Types) > 0 {
				b.WriteByte(' ')
			}
			b.WriteString("tag=" + quoteWord(tag))
		}
	}
	return b.String()
}

func quoteWord(s string) string {
	if s == "" || strings.ContainsAny(s, "\" \t\r\n\f\v,=\\") || strconv.Quote(s) != `"`+s+`"` {
		return strconv.Quote(s)
	}
	return s
}
