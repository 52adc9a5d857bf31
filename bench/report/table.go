package report

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// table is a Markdown table with aligned source.
type table struct {
	columns []column
	rows    [][]string
}

type column struct {
	title string
	// text is aligned left, numbers right.
	text bool
}

func texts(titles ...string) (columns []column) {
	for _, t := range titles {
		columns = append(columns, column{t, true})
	}
	return columns
}

func numbers(titles ...string) (columns []column) {
	for _, t := range titles {
		columns = append(columns, column{t, false})
	}
	return columns
}

func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = inline(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// dropEmpty removes the columns in which nothing was measured.
func (t *table) dropEmpty() {
	for c := len(t.columns) - 1; c >= 0; c-- {
		empty := true
		for _, row := range t.rows {
			empty = empty && (row[c] == none || row[c] == "")
		}
		if !empty {
			continue
		}
		t.columns = append(t.columns[:c], t.columns[c+1:]...)
		for r, row := range t.rows {
			t.rows[r] = append(row[:c], row[c+1:]...)
		}
	}
}

func (t *table) String() string {
	widths := make([]int, len(t.columns))
	titles := make([]string, len(t.columns))
	for i, c := range t.columns {
		titles[i] = c.title
		widths[i] = max(3, utf8.RuneCountInString(c.title))
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var b strings.Builder
	t.line(&b, titles, widths)
	for i, c := range t.columns {
		dashes := strings.Repeat("-", widths[i]+1)
		if c.text {
			b.WriteString("|" + dashes + "-")
		} else {
			b.WriteString("|" + dashes + ":")
		}
	}
	b.WriteString("|\n")
	for _, row := range t.rows {
		t.line(&b, row, widths)
	}
	return b.String()
}

func (t *table) line(b *strings.Builder, cells []string, widths []int) {
	for i, cell := range cells {
		padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if t.columns[i].text {
			cell += padding
		} else {
			cell = padding + cell
		}
		b.WriteString("| " + cell + " ")
	}
	b.WriteString("|\n")
}

// tag matches what begins an HTML tag, unlike the sign in "< 1 ms".
var tag = regexp.MustCompile(`<(\S)`)

// inline escapes foreign text, such as an error, for a line or a cell of Markdown.
func inline(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	s = strings.ReplaceAll(strings.ReplaceAll(s, `\|`, "|"), "|", `\|`)
	return tag.ReplaceAllString(s, "&lt;$1")
}
