package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/report/reporttest"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

var pictures = flag.String("pictures", "", "write the plots of the tests as PNG to this directory, for inspection")

func TestDraw(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "drawings")
	plots, err := Draw(dir, reporttest.Large())
	if err != nil {
		t.Fatal(err)
	}
	want := 3 + len(sweeps)
	if len(plots) != want {
		t.Errorf("%d plots, want %d", len(plots), want)
	}
	for _, p := range plots {
		file, ok := strings.CutPrefix(p.Path, "drawings/")
		if !ok {
			t.Errorf("path is %q", p.Path)
		}
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		parse(t, file, data)
	}
	for i, f := range figuresOf(reporttest.Large()) {
		again, err := os.ReadFile(filepath.Join(dir, f.name+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, f.svg()) {
			t.Errorf("plot %d, %s, differs the second time", i, f.name)
		}
		if *pictures != "" {
			picture(t, f)
		}
	}
}

func parse(t *testing.T, name string, svg []byte) {
	t.Helper()
	if i := bytes.Index(svg, []byte("NaN")); i >= 0 || bytes.Contains(svg, []byte("Inf")) {
		t.Errorf("%s has a NaN or Inf", name)
	}
	d := xml.NewDecoder(bytes.NewReader(svg))
	for n := 0; ; n++ {
		_, err := d.Token()
		if errors.Is(err, io.EOF) && n > 50 {
			return
		}
		if err != nil {
			t.Fatalf("%s after %d tokens: %v", name, n, err)
		}
	}
}

func picture(t *testing.T, f figure) {
	c := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(110))
	f.draw(draw.New(c))
	file, err := os.Create(filepath.Join(*pictures, f.name+".png"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(file); err != nil {
		t.Fatal(err)
	}
}

// TestDrawLittle checks that plots with fewer than two points are not drawn, and that
// nothing is divided by zero.
func TestDrawLittle(t *testing.T) {
	empty := &harness.Report{Systems: reporttest.Systems}
	for _, system := range reporttest.Systems {
		empty.Results = append(empty.Results,
			harness.Result{Workload: harness.BaseAppend, System: system.Name, Error: harness.NotOffered},
			harness.Result{Workload: harness.LoneAppend, System: system.Name, Samples: []harness.Sample{{}}})
	}
	single := reporttest.Steady(1).Report(harness.BaseAppend)
	single.Systems = single.Systems[:1]
	equal := &harness.Report{Systems: reporttest.Systems, Results: []harness.Result{
		{Workload: harness.BaseAppend, System: "fdbevents", Samples: []harness.Sample{{Seconds: 1, Events: 10}}},
		{Workload: harness.LoneAppend, System: "fdbevents", Samples: []harness.Sample{{Seconds: 1, Events: 10}}},
	}}
	for _, test := range []struct {
		name   string
		report *harness.Report
		want   string
	}{
		{"no report", &harness.Report{}, ""},
		{"nothing measured", empty, ""},
		{"one system, one workload", single, "append-latency"},
		{"the same everywhere", equal, "append-writers"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var names []string
			for _, f := range figuresOf(test.report) {
				names = append(names, f.name)
				parse(t, f.name, f.svg())
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("drew %q, want %q", got, test.want)
			}
		})
	}
}

func TestDrawNeedsAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Draw(file, reporttest.Large()); err == nil || !strings.Contains(err.Error(), "directory of plots") {
		t.Errorf("error is %v", err)
	}
}
