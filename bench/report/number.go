package report

import (
	"math"
	"strconv"
	"strings"
)

// none is shown where nothing was measured.
const none = "–"

// Number formats v with at most three significant digits, since no run repeats a
// fourth: 83,200, 14.3, 0.19.
func Number(v float64) string {
	if !(v >= 1e-6) || math.IsInf(v, 0) {
		return none
	}
	digits := 3
	if v < 1 {
		digits = 2
	}
	// Round first, so that 99.96 becomes 100 and not 100.0.
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'e', digits-1, 64), 64)
	if v >= 1 {
		digits = 3
	}
	decimals := digits - 1 - int(math.Floor(math.Log10(v)))
	return grouped(strconv.FormatFloat(v, 'f', max(0, min(decimals, 6)), 64))
}

// grouped separates thousands.
func grouped(s string) string {
	integer, fraction, found := strings.Cut(s, ".")
	for i := len(integer) - 3; i > 0; i -= 3 {
		integer = integer[:i] + "," + integer[i:]
	}
	if found {
		return integer + "." + fraction
	}
	return integer
}

// whole formats a count in full: 1,000,000.
func whole(n int) string { return grouped(strconv.Itoa(n)) }

// byteText formats a size in bytes: 256 B, 1.2 MiB.
func byteText(v float64) string {
	if v <= 0 {
		return none
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for v >= 1024 && i < len(units)-1 {
		v /= 1024
		i++
	}
	return Number(v) + " " + units[i]
}

// durationText formats a time given in microseconds: 12 µs, 0.19 ms, 1.3 s.
func durationText(micros float64) string {
	switch {
	case micros <= 0:
		return none
	case micros < 100:
		return Number(micros) + " µs"
	case micros < 1e6:
		return Number(micros/1000) + " ms"
	default:
		return Number(micros/1e6) + " s"
	}
}

// times formats a ratio: 0.82×.
func times(v float64) string {
	if v <= 0 {
		return none
	}
	return Number(v) + "×"
}

// spreadText formats the median, with the minimum and maximum if there are several
// turns: "83,200 (79,000 to 85,000)", "0.82 (0.79 to 0.85) ms".
func spreadText(s Spread, text func(float64) string) string {
	median := text(s.Median)
	if s.Turns < 2 {
		return median
	}
	least, most := text(s.Min), text(s.Max)
	unit := unitOf(median)
	if unitOf(least) != unit || unitOf(most) != unit {
		return median + " (" + least + " to " + most + ")"
	}
	bare := func(s string) string { return strings.TrimSuffix(s, unit) }
	return bare(median) + " (" + bare(least) + " to " + bare(most) + ")" + unit
}

// unitOf returns what follows the digits.
func unitOf(s string) string { return strings.TrimLeft(s, "0123456789,.") }

// Short formats a number for an axis: 500, 20 k, 1 M. Whole numbers below 10,000 are
// written in full.
func Short(v float64) string {
	switch {
	case v >= 1e6:
		return trimmed(v/1e6) + " M"
	case v >= 1e4:
		return trimmed(v/1e3) + " k"
	case v >= 1 && v == math.Trunc(v):
		return whole(int(v)) // 1,024 writers are not 1,020
	default:
		return trimmed(v)
	}
}

// trimmed formats a number without trailing zeros.
func trimmed(v float64) string { return trim(Number(v)) }

// trim removes trailing zeros from a fraction; a unit may follow.
func trim(s string) string {
	unit := unitOf(s)
	s = strings.TrimSuffix(s, unit)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + unit
}
