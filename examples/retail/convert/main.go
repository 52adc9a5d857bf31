// Command convert turns the CSV files of the Online Retail data set into events: one
// stream per invoice, one event per invoice line. It prints the JSON lines that
// "fdbevents append" reads.
//
//	go run ./examples/retail/convert 2010-12-01.csv 2010-12-02.csv >retail.ndjson
package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: convert CSVFILE...")
		os.Exit(2)
	}
	out := bufio.NewWriter(os.Stdout)
	c := newConverter(out)
	for _, name := range os.Args[1:] {
		if err := c.file(name); err != nil {
			fmt.Fprintln(os.Stderr, "convert:", err)
			os.Exit(1)
		}
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "convert:", err)
		os.Exit(1)
	}
}

// event is a line of the output.
type event struct {
	Stream  string    `json:"stream"`
	Type    string    `json:"type"`
	ID      uuid.UUID `json:"id"`
	Created time.Time `json:"created"`
	Tags    []string  `json:"tags"`
	Data    data      `json:"data"`
}

type data struct {
	StockCode   string      `json:"stockCode"`
	Description string      `json:"description,omitempty"`
	Quantity    int         `json:"quantity"`
	UnitPrice   json.Number `json:"unitPrice"`
	CustomerID  int         `json:"customerId,omitempty"`
	Country     string      `json:"country"`
}

// header is the first line of each file.
var header = []string{"InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"}

type converter struct {
	out *json.Encoder
	// lines counts the lines of each invoice so far.
	lines map[string]int
}

func newConverter(w io.Writer) *converter {
	c := &converter{out: json.NewEncoder(w), lines: make(map[string]int)}
	c.out.SetEscapeHTML(false)
	return c
}

func (c *converter) file(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := c.convert(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (c *converter) convert(r io.Reader) error {
	in := csv.NewReader(bufio.NewReader(r))
	in.FieldsPerRecord = len(header)
	in.ReuseRecord = true
	first, err := in.Read()
	if err != nil {
		return fmt.Errorf("reading the header: %w", err)
	}
	if !slices.Equal(first, header) {
		return fmt.Errorf("the header is %q, want %q", first, header)
	}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line, _ := in.FieldPos(0)
		ev, err := c.event(record)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if err := c.out.Encode(ev); err != nil {
			return err
		}
	}
}

// event turns a line of an invoice into an event.
func (c *converter) event(record []string) (ev event, err error) {
	invoice, stock, country := record[0], record[1], record[7]
	ev.Stream = "invoice-" + invoice
	// The ids depend only on the invoice and the number of the line, so appending the
	// events a second time stores nothing new. The number is needed because an invoice
	// can have two equal lines.
	ev.ID = uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "https://doi.org/10.24432/C5BW33#%s/%d", invoice, c.lines[invoice]))
	c.lines[invoice]++
	if ev.Created, err = time.Parse(time.DateTime, record[4]); err != nil {
		return ev, fmt.Errorf("field InvoiceDate: %w", err)
	}
	ev.Data = data{StockCode: stock, Description: strings.TrimSpace(record[2]), UnitPrice: json.Number(record[5]), Country: country}
	if ev.Data.Quantity, err = strconv.Atoi(record[3]); err != nil {
		return ev, fmt.Errorf("field Quantity: %w", err)
	}
	if _, err := strconv.ParseFloat(record[5], 64); err != nil {
		return ev, fmt.Errorf("field UnitPrice: %w", err)
	}
	ev.Tags = []string{"stock:" + stock}
	if record[6] != "" {
		// The data set writes it as a decimal number, 17850.0, because it can be missing.
		if ev.Data.CustomerID, err = strconv.Atoi(strings.TrimSuffix(record[6], ".0")); err != nil {
			return ev, fmt.Errorf("field CustomerID: %w", err)
		}
		ev.Tags = append(ev.Tags, fmt.Sprintf("customer:%d", ev.Data.CustomerID))
	}
	ev.Tags = append(ev.Tags, "country:"+country)
	switch {
	case strings.HasPrefix(invoice, "C"):
		ev.Type = "ItemReturned"
	case ev.Data.Quantity < 0:
		// Not an invoice to a customer, but the shop's own correction of its stock.
		ev.Type = "StockCorrected"
	default:
		ev.Type = "ItemSold"
	}
	return ev, nil
}
