package main

import "fmt"

// numberOf is n of the things, in words.
func numberOf(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
