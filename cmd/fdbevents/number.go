package main

import "fmt"

// numberOf returns "1 thing" or "n things".
func numberOf(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
