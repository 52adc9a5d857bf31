package main

import (
	"strings"
	"testing"
)

const head = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

func TestConvert(t *testing.T) {
	const in = head +
		"536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n" +
		"536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n" +
		"536381,82567,\"AIRLINE LOUNGE,METAL SIGN\",2,2010-12-01 09:41:00,2.1,15311.0,EIRE\n" +
		"536522,22961,\"JAM \"\"MAKING\"\" SET & <LABELS>\",1,2010-12-01 12:49:00,1.45,,United Kingdom\n" +
		"C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom\n" +
		"536589,21777,,-10,2010-12-01 16:50:00,0.0,,United Kingdom\n"
	const want = `{"stream":"invoice-536365","type":"ItemSold","id":"ID0","created":"2010-12-01T08:26:00Z","tags":["stock:85123A","customer:17850","country:United Kingdom"],"data":{"stockCode":"85123A","description":"WHITE HANGING HEART T-LIGHT HOLDER","quantity":6,"unitPrice":2.55,"customerId":17850,"country":"United Kingdom"}}
{"stream":"invoice-536365","type":"ItemSold","id":"ID1","created":"2010-12-01T08:26:00Z","tags":["stock:85123A","customer:17850","country:United Kingdom"],"data":{"stockCode":"85123A","description":"WHITE HANGING HEART T-LIGHT HOLDER","quantity":6,"unitPrice":2.55,"customerId":17850,"country":"United Kingdom"}}
{"stream":"invoice-536381","type":"ItemSold","id":"ID2","created":"2010-12-01T09:41:00Z","tags":["stock:82567","customer:15311","country:EIRE"],"data":{"stockCode":"82567","description":"AIRLINE LOUNGE,METAL SIGN","quantity":2,"unitPrice":2.1,"customerId":15311,"country":"EIRE"}}
{"stream":"invoice-536522","type":"ItemSold","id":"ID3","created":"2010-12-01T12:49:00Z","tags":["stock:22961","country:United Kingdom"],"data":{"stockCode":"22961","description":"JAM \"MAKING\" SET & <LABELS>","quantity":1,"unitPrice":1.45,"country":"United Kingdom"}}
{"stream":"invoice-C536379","type":"ItemReturned","id":"ID4","created":"2010-12-01T09:41:00Z","tags":["stock:D","customer:14527","country:United Kingdom"],"data":{"stockCode":"D","description":"Discount","quantity":-1,"unitPrice":27.5,"customerId":14527,"country":"United Kingdom"}}
{"stream":"invoice-536589","type":"StockCorrected","id":"ID5","created":"2010-12-01T16:50:00Z","tags":["stock:21777","country:United Kingdom"],"data":{"stockCode":"21777","quantity":-10,"unitPrice":0.0,"country":"United Kingdom"}}
`
	// Computed by another implementation of UUID version 5.
	ids := []string{
		"2ac268fa-b3d2-5066-b850-aa7b52cc93d9",
		"8102c9a7-024f-5e7c-b278-e9790083667b",
		"5de37a93-27fc-5126-8224-ad7df0da31e4",
		"8bf743a8-6c16-513d-b5eb-5bf86619f966",
		"37cca92b-a624-514f-b644-5df48cb399e7",
		"456a808e-98e3-50a0-a0f3-cbd556c60123",
	}
	var out strings.Builder
	if err := newConverter(&out).convert(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	expected := want
	for i, id := range ids {
		expected = strings.Replace(expected, "ID"+string(rune('0'+i)), id, 1)
	}
	if out.String() != expected {
		t.Errorf("got\n%s\nwant\n%s", out.String(), expected)
	}
}

func TestConvertRefuses(t *testing.T) {
	for _, tt := range []struct{ in, message string }{
		{"", "reading the header: EOF"},
		{"a,b,c,d,e,f,g,h\n", `the header is ["a" "b" "c" "d" "e" "f" "g" "h"], want ["InvoiceNo" "StockCode" "Description" "Quantity" "InvoiceDate" "UnitPrice" "CustomerID" "Country"]`},
		{head + "1,2\n", "record on line 2: wrong number of fields"},
		{head + "1,2,3,4,5,6,7,8\n", `line 2: field InvoiceDate: parsing time "5" as "2006-01-02 15:04:05": cannot parse "5" as "2006"`},
		{head + "1,2,3,x,2010-12-01 16:50:00,6,7,8\n", `line 2: field Quantity: strconv.Atoi: parsing "x": invalid syntax`},
		{head + "1,2,3,4,2010-12-01 16:50:00,x,7,8\n", `line 2: field UnitPrice: strconv.ParseFloat: parsing "x": invalid syntax`},
		{head + "1,2,3,4,2010-12-01 16:50:00,6,7.5,8\n", `line 2: field CustomerID: strconv.Atoi: parsing "7.5": invalid syntax`},
	} {
		var out strings.Builder
		err := newConverter(&out).convert(strings.NewReader(tt.in))
		if err == nil || err.Error() != tt.message {
			t.Errorf("%q: got %v, want %s", tt.in, err, tt.message)
		}
	}
}
