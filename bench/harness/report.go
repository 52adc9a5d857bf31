package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// ReportFormat is raised when older programs would misread a Report.
const ReportFormat = 1

// Report is everything that a run has found, in its stored form.
type Report struct {
	Format  int       `json:"format"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	// Command is the command line of the run.
	Command string `json:"command"`
	// Revision is the revision of the source: "v1.2.3", or a commit.
	Revision string         `json:"revision"`
	Machine  Machine        `json:"machine"`
	Systems  []SystemReport `json:"systems"`
	Results  []Result       `json:"results"`
}

// Machine describes the machine of a run.
type Machine struct {
	CPU        string  `json:"cpu"`
	Processors int     `json:"processors"`
	Memory     int64   `json:"memory"` // bytes
	OS         string  `json:"os"`
	FileSystem string  `json:"fileSystem"`
	Go         string  `json:"go"`
	SyncMicros float64 `json:"syncMicros"` // median of writing 4 KiB and syncing it
}

// SystemReport is what is known about a system.
type SystemReport struct {
	Name    string `json:"name"`
	Kind    Kind   `json:"kind"`
	About   string `json:"about"`
	Version string `json:"version,omitempty"`
	Relaxed bool   `json:"relaxed,omitempty"`
	// Missing says why the system was not run; empty when it was.
	Missing string `json:"missing,omitempty"`
}

// Result is what one system did in one workload: a Sample for each turn.
type Result struct {
	Workload Workload `json:"workload"`
	System   string   `json:"system"`
	Samples  []Sample `json:"samples,omitempty"`
	// Error says why there are no samples, or too few; it is NotOffered if the system
	// cannot run the workload at all.
	Error string `json:"error,omitempty"`
}

// NotOffered is the Error of a Result whose system has no such operation.
const NotOffered = "not offered"

// Sample is one turn of a system in a workload.
type Sample struct {
	Seconds float64 `json:"seconds"`
	// Operations is the number of appends, loads, reads or receipts, Events the number
	// of events in them, and Bytes the size of those events' data.
	Operations int64 `json:"operations"`
	Events     int64 `json:"events"`
	Bytes      int64 `json:"bytes"`
	// Latency is the latency of single operations, in microseconds.
	Latency Latency `json:"latency"`
	// CPUSeconds is the CPU time of the system's process and the processes it started.
	// BytesWritten is what all these processes sent to the disk; BytesWritten over Bytes
	// is the write amplification. Allocations counts Go allocations in the system's own
	// process only.
	CPUSeconds   float64 `json:"cpuSeconds"`
	Allocations  int64   `json:"allocations"`
	BytesWritten int64   `json:"bytesWritten"`
	// DiskBytes is the size of the system's data on disk after the turn, LogEvents the
	// number of events in it.
	DiskBytes int64 `json:"diskBytes"`
	LogEvents int64 `json:"logEvents"`
	// Resident is the peak memory of the system's process and the processes it started,
	// since they began, in bytes.
	Resident int64 `json:"resident"`
}

// Latency holds percentiles in microseconds, all zero when nothing was measured.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// ReadFile reads a report that WriteFile wrote.
func ReadFile(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	var report Report
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, fmt.Errorf("read report %s: %w", path, err)
	}
	if report.Format != ReportFormat {
		return nil, fmt.Errorf("read report %s: its format is %d, but this program reads %d; measure the older source again", path, report.Format, ReportFormat)
	}
	return &report, nil
}

// WriteFile writes the report as JSON.
func (r *Report) WriteFile(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// Find returns the result of a system in a workload, or nil when there is none.
func (r *Report) Find(workload, system string) *Result {
	for i := range r.Results {
		if x := &r.Results[i]; x.System == system && x.Workload.Name() == workload {
			return x
		}
	}
	return nil
}

// Add takes from an older report the results of workloads and systems that this one
// has not measured. Command and Seconds then cover both runs.
func (r *Report) Add(old *Report) {
	var kept []Result
	for _, x := range old.Results {
		if r.Find(x.Workload.Name(), x.System) == nil {
			kept = append(kept, x)
		}
	}
	r.Results = append(kept, r.Results...)
	for _, x := range old.Systems {
		i := slices.IndexFunc(r.Systems, func(y SystemReport) bool { return x.Name == y.Name })
		switch {
		case i < 0:
			r.Systems = append(r.Systems, x)
		case r.Systems[i].Version == "" && r.Systems[i].Missing == "":
			r.Systems[i] = x // it was not opened this time
		}
	}
	r.Seconds += old.Seconds
	r.Command = old.Command + " && " + r.Command
}

// Failed returns an error for each workload that failed on a system that offers it,
// and an error when nothing was measured. A missing peer or FoundationDB is no error.
func (r *Report) Failed() (err error) {
	for i := range r.Results {
		if x := &r.Results[i]; x.Error != "" && x.Error != NotOffered {
			err = errors.Join(err, fmt.Errorf("%s on %s: %s", x.Workload.Name(), x.System, x.Error))
		}
	}
	if len(r.Results) == 0 && len(r.Systems) > 0 {
		err = fmt.Errorf("nothing was measured: %s", r.Systems[0].Missing)
	}
	return err
}
