package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// PrintChanges writes the changes that Compare found as Markdown, slower figures
// first.
func PrintChanges(w io.Writer, changes []Change) error {
	sorted := slices.Clone(changes)
	slices.SortStableFunc(sorted, slower)
	t := table{columns: append(append(texts("", "workload", "system", "figure"),
		numbers("old (least to most)", "new (least to most)", "times slower", "ratio times slower")...), texts("ratio to")...)}
	counts := make(map[Verdict]int)
	workloads := make(map[string]bool)
	only := make(map[Verdict][]string)
	for _, c := range sorted {
		counts[c.Verdict]++
		if c.Metric == "" {
			only[c.Verdict] = append(only[c.Verdict], fmt.Sprintf("`%s` on %s", c.Workload.Name(), c.System))
			continue
		}
		if c.Verdict == Slower {
			workloads[c.Workload.Name()] = true
		}
		t.add(string(c.Verdict), "`"+c.Workload.Name()+"`", c.System, string(c.Metric),
			spreadText(c.Old, c.Metric.text), spreadText(c.New, c.Metric.text), times(c.Slowdown), times(c.Relative), c.Limit)
	}
	var b strings.Builder
	switch n := len(workloads); n {
	case 0:
		b.WriteString("**No workload is slower.**")
	case 1:
		b.WriteString("**1 workload is slower.**")
	default:
		fmt.Fprintf(&b, "**%d workloads are slower.**", n)
	}
	fmt.Fprintf(&b, " Of %d figures, %d are slower, %d faster, %d the same, %d unclear.\n\n", len(t.rows), counts[Slower], counts[Faster], counts[Same], counts[Unclear])
	if len(t.rows) > 0 {
		fmt.Fprintf(&b, "%s\n", &t)
		fmt.Fprintf(&b, "A figure is slower or faster if its medians differ by more than %s and the turns of the two reports do not overlap; where both reports have the limit, the same must hold for the ratio to it. A figure is unclear if it disagrees with its ratio to the limit: the machine may have caused the change, or may hide one.\n\n", times(worth))
	}
	for _, v := range []Verdict{OnlyOld, OnlyNew} {
		if names := only[v]; len(names) > 0 {
			fmt.Fprintf(&b, "%s%s: %s.\n\n", strings.ToUpper(string(v[:1])), v[1:], strings.Join(names, ", "))
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print changes: %w", err)
	}
	return nil
}
