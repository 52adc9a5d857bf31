package enginetest

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
)

// program is a sequence of calls to an engine, made by one goroutine in several
// concurrent transactions. Its text has one line per call:
//
//	t0 set "a" "1"
//	t1 range "a" "c" limit=2 reverse snapshot
//	t1 commit
//
// Strings are Go's; "k"*9000 is a repeated string. Keys are names, to which the
// player adds a prefix for the run; a key after ! is used unchanged. A # starts a
// comment.
type program []step

// step is one call.
type step struct {
	slot     int // the transaction's
	verb     string
	args     []text
	limit    int
	bytes    int
	reverse  bool
	snapshot bool
}

// text is a string of a program.
type text struct {
	unit  string
	times int
	// raw keys are used without the run's prefix.
	raw bool
}

func word(s string) text { return text{unit: s, times: 1} }

func (x text) string() string { return strings.Repeat(x.unit, x.times) }

func (x text) String() string {
	s := strconv.QuoteToASCII(x.unit)
	if x.times != 1 {
		s += "*" + strconv.Itoa(x.times)
	}
	if x.raw {
		s = "!" + s
	}
	return s
}

// verbs are the calls, with the number of strings that each takes.
var verbs = map[string]int{
	"begin":         0, // gives up the slot's transaction and begins another
	"get":           1,
	"range":         2,
	"set":           2,
	"clear":         1,
	"clearrange":    2,
	"add":           2,
	"max":           2,
	"min":           2,
	"bytemin":       2,
	"bytemax":       2,
	"compareclear":  2,
	"stampkey":      3, // before the stamp, after it, value
	"stampvalue":    3, // key, before the stamp, after it
	"readconflict":  2,
	"writeconflict": 2,
	"watch":         2, // key, name of the watch
	"await":         1, // name of a watch: has it fired?
	"version":       0,
	"size":          0,
	"commit":        0,
	"cancel":        0,
	"onerror":       0, // with the last error of the transaction, or a conflict
}

func (s step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "t%d %s", s.slot, s.verb)
	for _, x := range s.args {
		b.WriteString(" " + x.String())
	}
	if s.limit != 0 {
		fmt.Fprintf(&b, " limit=%d", s.limit)
	}
	if s.bytes != 0 {
		fmt.Fprintf(&b, " bytes=%d", s.bytes)
	}
	if s.reverse {
		b.WriteString(" reverse")
	}
	if s.snapshot {
		b.WriteString(" snapshot")
	}
	return b.String()
}

func (p program) String() string {
	var b strings.Builder
	for _, s := range p {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

// parseProgram parses the text of a program.
func parseProgram(source string) (p program, err error) {
	lines := bufio.NewScanner(strings.NewReader(source))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		s, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("line %d, %q: %w", n, line, err)
		}
		p = append(p, s)
	}
	return p, lines.Err()
}

func parseStep(line string) (s step, err error) {
	slot, rest, _ := strings.Cut(line, " ")
	if _, err := fmt.Sscanf(slot, "t%d", &s.slot); err != nil || s.slot < 0 || s.slot >= maxSlots {
		return s, fmt.Errorf("want a transaction from t0 to t%d", maxSlots-1)
	}
	s.verb, rest, _ = strings.Cut(rest, " ")
	want, ok := verbs[s.verb]
	if !ok {
		return s, fmt.Errorf("unknown call %q", s.verb)
	}
	for rest = strings.TrimSpace(rest); rest != "" && rest[0] != '#'; rest = strings.TrimSpace(rest) {
		if rest[0] == '!' || rest[0] == '"' {
			var x text
			if x, rest, err = parseText(rest); err != nil {
				return s, err
			}
			s.args = append(s.args, x)
			continue
		}
		var option string
		option, rest, _ = strings.Cut(rest, " ")
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "limit":
			s.limit, err = strconv.Atoi(value)
		case "bytes":
			s.bytes, err = strconv.Atoi(value)
		case "reverse":
			s.reverse = true
		case "snapshot":
			s.snapshot = true
		default:
			err = fmt.Errorf("unknown option %q", option)
		}
		if err != nil {
			return s, err
		}
	}
	if len(s.args) != want {
		return s, fmt.Errorf("%s takes %d strings, not %d", s.verb, want, len(s.args))
	}
	return s, nil
}

func parseText(s string) (x text, rest string, err error) {
	x.times = 1
	s, x.raw = strings.CutPrefix(s, "!")
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return x, "", err
	}
	if x.unit, err = strconv.Unquote(quoted); err != nil {
		return x, "", err
	}
	rest = s[len(quoted):]
	if strings.HasPrefix(rest, "*") {
		var times string
		times, rest, _ = strings.Cut(rest[1:], " ")
		if x.times, err = strconv.Atoi(times); err != nil || x.times < 0 {
			return x, "", fmt.Errorf("a string cannot be repeated %q times", times)
		}
	}
	return x, rest, nil
}
