package report

import (
	"math"
	"strconv"
	"strings"
)

// none stands where nothing was measured.
const none = "–"

// number has three significant digits at most, since no run repeats a fourth:
// 83,200, 14.3, 0.19.
func number(v float64) string {
	if v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return none
	}
	digits := 3
	if v < 1 {
		digits = 2
	}
	decimals := digits - 1 - int(math.Floor(math.Log10(v)))
	unit := math.Pow10(-decimals)
	if decimals > 0 {
		// Dividing by a power of ten keeps 0.19 what it is.
		v = math.Round(v*math.Pow10(decimals)) / math.Pow10(decimals)
	} else {
		v = math.Round(v/unit) * unit
	}
	return grouped(strconv.FormatFloat(v, 'f', max(0, min(decimals, 6)), 64))
}

// grouped separates thousands.
func grouped(s string) string {
	whole, fraction, found := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if found {
		return whole + "." + fraction
	}
	return whole
}

// whole is a count in full: 1,000,000.
func whole(n int) string { return grouped(strconv.Itoa(n)) }

// byteText is a size: 256 B, 1.2 MiB.
func byteText(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for v >= 1024 && i < len(units)-1 {
		v /= 1024
		i++
	}
	return number(v) + " " + units[i]
}

// durationText is a time given in microseconds: 12 µs, 0.19 ms, 1.3 s.
func durationText(micros float64) string {
	switch {
	case micros < 100:
		return number(micros) + " µs"
	case micros < 1e6:
		return number(micros/1000) + " ms"
	default:
		return number(micros/1e6) + " s"
	}
}

// times is a ratio: 0.82×.
func times(v float64) string {
	if v <= 0 {
		return none
	}
	return number(v) + "×"
}

// spreadText is the median, and the least and the most of the turns if there are
// several.
func spreadText(s Spread, text func(float64) string) string {
	if s.Turns < 2 {
		return text(s.Median)
	}
	return text(s.Median) + " (" + text(s.Min) + " to " + text(s.Max) + ")"
}

// trimmed is a number without zeros at its end.
func trimmed(v float64) string {
	if s := number(v); strings.Contains(s, ".") {
		return strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return number(v)
}
