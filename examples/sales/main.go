// Command sales shows a projection: sales by country and stock by code, from the
// invoices of examples/retail. Each invoice is imported once.
//
//	go run ./examples/sales
//	go run ./examples/sales --db file:shop    # run it twice: the second time, nothing is new
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/fdblayer"
)

func main() {
	db := flag.String("db", "mem:", "the store: mem:, file:DIR, or fdb:CLUSTERFILE")
	file := flag.String("file", "examples/retail/retail.ndjson", "the invoices")
	flag.Parse()
	if err := run(context.Background(), *db, *file, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url, file string, out io.Writer) error {
	store, err := engines.OpenStore(ctx, url, fdblayer.Options{})
	if err != nil {
		return err
	}
	defer store.Close()

	invoices, err := readInvoices(file)
	if err != nil {
		return err
	}
	imported, refused := 0, 0
	for _, invoice := range append(invoices, invoices[0]) { // the first one a second time
		switch err := importInvoice(ctx, store, invoice); {
		case errors.As(err, new(*fdbevents.ConditionError)):
			refused++
		case err != nil:
			return err
		default:
			imported++
		}
	}
	fmt.Fprintf(out, "%d invoices imported, %d refused: their numbers are taken\n", imported, refused)

	if err := projectSales(ctx, store); err != nil {
		return err
	}
	return printView(ctx, store, out)
}

// importInvoice appends the lines of an invoice, unless its number is already taken in
// any stream. If two imports run at the same time, one of them is refused.
func importInvoice(ctx context.Context, store *fdblayer.Store, invoice fdbevents.StreamAppend) error {
	number := fdbevents.Query{Items: []fdbevents.QueryItem{{Tags: []string{invoice.Stream}}}}
	_, err := store.AppendIf(ctx, fdbevents.Condition{Query: number}, invoice)
	return err
}

type line struct {
	StockCode string  `json:"stockCode"`
	Quantity  int64   `json:"quantity"`
	UnitPrice float64 `json:"unitPrice"`
	Country   string  `json:"country"`
}

// projectSales brings the view up to date. The view and its checkpoint are written in
// one transaction, so each line counts exactly once. A service would leave Project
// running.
func projectSales(ctx context.Context, store *fdblayer.Store) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := fdblayer.ProjectOptions{Filter: fdbevents.InStreams("invoice-"), CaughtUp: cancel}
	err := store.Project(ctx, "sales", o, func(_ context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
		view, err := tx.View("sales")
		if err != nil {
			return err
		}
		for _, ev := range events {
			var l line
			if err := json.Unmarshal(ev.Data, &l); err != nil {
				return err
			}
			taken := l.Quantity // returns are negative
			if ev.Type == "StockCorrected" {
				taken = -l.Quantity // so are items found missing, but those reduce the stock
			}
			view.Add([]byte("country "+l.Country), int64(math.Round(100*l.UnitPrice))*l.Quantity)
			view.Add([]byte("stock "+l.StockCode), -taken)
		}
		return nil
	})
	if errors.Is(err, context.Canceled) {
		return nil // it has caught up
	}
	return err
}

// printView prints both tables as of the same moment.
func printView(ctx context.Context, store *fdblayer.Store, out io.Writer) error {
	type row struct {
		name string
		n    int64
	}
	tables := make(map[string][]row)
	_, err := store.Transact(ctx, func(tx *fdblayer.Tx) error {
		clear(tables) // this function may be run again
		view, err := tx.View("sales")
		if err != nil {
			return err
		}
		p, err := view.GetRange(engine.Range{}, engine.RangeOptions{})
		for _, kv := range p.KeyValues {
			table, name, _ := strings.Cut(string(kv.Key), " ")
			tables[table] = append(tables[table], row{name, int64(binary.LittleEndian.Uint64(kv.Value))})
		}
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nsales by country, pounds")
	slices.SortFunc(tables["country"], func(a, b row) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.name, b.name)) })
	for _, r := range tables["country"][:10] {
		fmt.Fprintf(out, "%12.2f  %s\n", float64(r.n)/100, r.name)
	}
	fmt.Fprintln(out, "\nstock by code, largest decrease first")
	slices.SortFunc(tables["stock"], func(a, b row) int { return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.name, b.name)) })
	for _, r := range tables["stock"][:10] {
		fmt.Fprintf(out, "%12d  %s\n", r.n, r.name)
	}
	return nil
}

// readInvoices reads the file, which has one event per line and keeps the lines of an
// invoice together. It tags the events with the invoice's number. It leaves out their
// ids, because with them a second import would be a repeat and not be refused.
func readInvoices(file string) (all []fdbevents.StreamAppend, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); ; {
		if !lines.Scan() {
			return all, lines.Err()
		}
		var l struct {
			Stream, Type string
			Created      time.Time
			Tags         []string
			Data         json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s: event %d: %w", file, len(all), err)
		}
		if len(all) == 0 || all[len(all)-1].Stream != l.Stream {
			all = append(all, fdbevents.StreamAppend{Stream: l.Stream, Expected: fdbevents.Any})
		}
		invoice := &all[len(all)-1]
		invoice.Events = append(invoice.Events, fdbevents.EventData{
			Type: l.Type, Created: l.Created, Tags: append([]string{l.Stream}, l.Tags...),
			ContentType: "application/json", Data: l.Data,
		})
	}
}
