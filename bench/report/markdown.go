package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// Plot is a drawing that was written.
type Plot struct {
	Title string
	// Path is from the folder that the plots' own is in, with slashes: "plots/x.svg".
	Path string
}

// Markdown writes the report as a document in GitHub's Markdown. Plots are those
// that were drawn in a folder beside it; there may be none.
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
	fmt.Fprintf(b, "`%s` on %s, for %s.\n\n", strings.Join(strings.Fields(r.Command), " "), r.Began.UTC().Format("2006-01-02 15:04 MST"), took)
	m := r.Machine
	fmt.Fprintf(b, "Machine: %s, %s processors, %s of memory; %s; %s; %s. Writing 4 KiB and syncing it takes %s.\n\n",
		inline(m.CPU), whole(m.Processors), byteText(float64(m.Memory)), inline(m.OS), inline(m.FileSystem), inline(m.Go), durationText(m.SyncMicros))

	run := table{columns: texts("system", "part", "version", "what is run")}
	missing := table{columns: texts("not run", "why")}
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
		b.WriteString("\\* acknowledges before the disk has it, and is compared with nothing.\n\n")
	}
}

func systemText(name string, relaxed bool) string {
	if relaxed {
		return name + " \\*"
	}
	return name
}

func writeTargets(b *strings.Builder, r *harness.Report) {
	t := table{columns: texts("target", "bound", "measured", "", "of", "in")}
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
	fmt.Fprintf(b, "## Targets\n\n%d met, %d missed, %d not measured. Ratios are medians over turns in which both ran one after the other, with the least and the most; memory is judged by the most.\n\n%s\n",
		met, missed, len(targets)-met-missed, &t)
	if len(reasons) > 0 {
		b.WriteString("Not measured, because:\n\n")
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
	b.WriteString("## Plots\n\nBars and points are medians over the turns, thin lines the least and the most.\n\n")
	for _, p := range plots {
		fmt.Fprintf(b, "![%s](%s)\n\n", p.Title, p.Path)
	}
}

// writeResults has a table for each workload, those of an operation together.
func writeResults(b *strings.Builder, r *harness.Report) {
	b.WriteString("## Results\n\nFigures are medians over the turns. \"fdbevents is\" how many times as fast as the system of the row; \"on it\", at FoundationDB, is of fdbevents on FoundationDB. Memory is the most that the system's processes had since they began; allocations are of Go's runtime in the system's own process, servers beside it not counted.\n\n")
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

// operationsOf keeps the order in which they were run.
func operationsOf(r *harness.Report) (ops []harness.Operation) {
	for _, x := range r.Results {
		if !slices.Contains(ops, x.Workload.Operation) {
			ops = append(ops, x.Workload.Operation)
		}
	}
	return ops
}

// WorkloadsOf are the workloads of an operation, in the order in which they were run.
func WorkloadsOf(r *harness.Report, op harness.Operation) (workloads []harness.Workload) {
	for _, x := range r.Results {
		if x.Workload.Operation == op && !slices.Contains(workloads, x.Workload) {
			workloads = append(workloads, x.Workload)
		}
	}
	return workloads
}
