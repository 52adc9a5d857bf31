package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// Plot is a drawing in a file.
type Plot struct {
	Title string
	// Path is relative to the parent of the plots' directory, with slashes:
	// "plots/x.svg".
	Path string
}

// Markdown writes the report as a document in GitHub's Markdown. The plots, if any,
// were drawn in a directory beside it.
func Markdown(w io.Writer, r *harness.Report, plots []Plot) error {
	var b strings.Builder
	writeRun(&b, r)
	writeTargets(&b, r)
	writePlots(&b, plots)
	writeResults(&b, r)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func writeRun(b *strings.Builder, r *harness.Report) {
	fmt.Fprintf(b, "# Benchmark of %s\n\n", inline(r.Revision))
	took := time.Duration(r.Seconds * float64(time.Second)).Round(time.Second)
	fmt.Fprintf(b, "Produced by `%s` on %s in %s.\n\n", strings.Join(strings.Fields(r.Command), " "), r.Began.UTC().Format("2006-01-02 15:04 MST"), took)
	m := r.Machine
	fmt.Fprintf(b, "Machine: %s, %s processors, %s of memory; %s; %s; %s. Writing and syncing 4 KiB takes %s.\n\n",
		inline(m.CPU), whole(m.Processors), byteText(float64(m.Memory)), inline(m.OS), inline(m.FileSystem), inline(m.Go), durationText(m.SyncMicros))

	run := table{columns: texts("system", "role", "version", "what is run")}
	missing := table{columns: texts("not run", "reason")}
	for _, s := range r.Systems {
		if s.Missing != "" {
			missing.add(s.Name, s.Missing)
			continue
		}
		run.add(systemText(s.Name, s.Relaxed), string(s.Kind), s.Version, s.About)
	}
	for _, t := range []table{run, missing} {
		if len(t.rows) > 0 {
			fmt.Fprintf(b, "%s\n", &t)
		}
	}
	if slices.ContainsFunc(r.Systems, func(s harness.SystemReport) bool { return s.Relaxed }) {
		b.WriteString("\\* acknowledges before the data is on disk, and is not compared with anything.\n\n")
	}
}

func systemText(name string, relaxed bool) string {
	if relaxed {
		return name + " \\*"
	}
	return name
}

func writeTargets(b *strings.Builder, r *harness.Report) {
	t := table{columns: texts("target", "bound", "measured", "", "figure", "workload")}
	var met, missed int
	var reasons []string
	targets := Targets()
	for _, target := range targets {
		o := target.Evaluate(r)
		switch {
		case o.Why == "" && o.Met:
			met++
		case o.Why == "":
			missed++
		case !slices.Contains(reasons, o.Why):
			reasons = append(reasons, o.Why)
		}
		t.add(target.Promise, target.boundText(), spreadText(o.Measured, target.text), o.text(), target.figureText(), target.workloadText())
	}
	fmt.Fprintf(b, "## Targets\n\n%d met, %d missed, %d not measured. A ratio compares turns of the same round, in which both systems ran shortly after each other; it is the median over the rounds, with the minimum and maximum in parentheses. Memory is judged by its maximum.\n\n%s\n",
		met, missed, len(targets)-met-missed, &t)
	if len(reasons) > 0 {
		b.WriteString("Reasons for targets that were not measured:\n\n")
		for _, why := range reasons {
			fmt.Fprintf(b, "- %s\n", inline(why))
		}
		b.WriteString("\n")
	}
}

func writePlots(b *strings.Builder, plots []Plot) {
	if len(plots) == 0 {
		return
	}
	b.WriteString("## Plots\n\nBars and points are medians over the turns; thin lines reach from the minimum to the maximum.\n\n")
	for _, p := range plots {
		fmt.Fprintf(b, "![%s](%s)\n\n", p.Title, p.Path)
	}
}

// writeResults writes a table for each workload, grouped by operation.
func writeResults(b *strings.Builder, r *harness.Report) {
	b.WriteString("## Results\n\nFigures are medians over the turns. The column \"fdbevents is\" says how many times as fast as the row's system fdbevents is; in the row of plain FoundationDB, \"on it\" means fdbevents on FoundationDB. Memory is the peak of the system's processes since they began. Allocations count Go allocations in the system's own process, not in separate servers.\n\n")
	for _, op := range operationsOf(r) {
		title, about := string(op), ""
		if o, ok := operations[op]; ok {
			title, about = o.title, o.about+"\n\n"
		}
		fmt.Fprintf(b, "### %s\n\n%s", title, about)
		for _, w := range WorkloadsOf(r, op) {
			writeWorkload(b, r, w)
		}
	}
}

// operationsOf returns the operations in the order in which they were run.
func operationsOf(r *harness.Report) (ops []harness.Operation) {
	for _, x := range r.Results {
		if !slices.Contains(ops, x.Workload.Operation) {
			ops = append(ops, x.Workload.Operation)
		}
	}
	return ops
}

// WorkloadsOf returns the workloads of an operation in the order in which they were
// run.
func WorkloadsOf(r *harness.Report, op harness.Operation) (workloads []harness.Workload) {
	for _, x := range r.Results {
		if x.Workload.Operation == op && !slices.Contains(workloads, x.Workload) {
			workloads = append(workloads, x.Workload)
		}
	}
	return workloads
}
