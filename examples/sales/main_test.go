package main

import (
	"strings"
	"testing"
)

// TestSales runs the example twice on one store: the second time, everything is
// refused and the tables are the same.
func TestSales(t *testing.T) {
	const tables = `
sales by country, pounds
   140654.52  United Kingdom
     3147.23  EIRE
     1919.14  Norway
     1281.24  France
      833.06  Germany
      620.00  Spain
      427.80  Italy
      358.25  Australia
      346.10  Belgium
      303.40  Switzerland

stock by code, largest decrease first
       -3313  84077
       -1842  84950
       -1563  21915
       -1440  17084R
        -954  21212
        -812  84029E
        -788  85123A
        -775  84879
        -716  22616
        -710  21232
`
	db := "file:" + t.TempDir()
	for _, first := range []string{
		"418 invoices imported, 1 refused: their numbers are taken\n",
		"0 invoices imported, 419 refused: their numbers are taken\n",
	} {
		var out strings.Builder
		if err := run(t.Context(), db, "../retail/retail.ndjson", &out); err != nil {
			t.Fatal(err)
		}
		if out.String() != first+tables {
			t.Errorf("got\n%s\nwant\n%s", out.String(), first+tables)
		}
	}
}
