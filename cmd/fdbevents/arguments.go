package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange reorders a command line for the flag parser: global flags, the command, its
// flags, its arguments. This allows flags anywhere, as in "append orders --type Placed --db
// file:shop". Everything after "--" is an argument.
func arrange(app *cli.App, args []string) []string {
	out := []string{app.Name}
	if n := len(args); n > 0 && args[n-1] == "--generate-bash-completion" {
		return append(out, args...)
	}
	var command *cli.Command
	var global, own, positional []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--" && command != nil:
			positional = append(positional, args...)
			args = nil
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			if command != nil {
				positional = append(positional, arg)
				break
			}
			if command = app.Command(arg); command == nil {
				return slices.Concat(out, global, []string{arg}, args)
			}
		default:
			name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			flags := &own
			var flag cli.Flag
			if command != nil {
				flag = findFlag(command.Flags, name)
			}
			if flag == nil {
				if flag = findFlag(app.Flags, name); flag != nil || command == nil {
					flags = &global
				}
			}
			if command != nil && (name == "help" || name == "h") {
				// The library would take anything more for the name of a help topic.
				return slices.Concat(out, global, []string{command.Name, "--help"})
			}
			*flags = append(*flags, arg)
			if hasValue || !takesValue(flag) {
				break
			}
			if len(args) == 0 {
				// The value is missing. Drop the rest, or it would be taken for the value.
				if flags == &global {
					return slices.Concat(out, global)
				}
				return slices.Concat(out, global, []string{command.Name}, own)
			}
			*flags = append(*flags, args[0])
			args = args[1:]
		}
	}
	out = append(out, global...)
	if command == nil {
		return out
	}
	out = append(out, command.Name)
	out = append(out, own...)
	if len(positional) > 0 {
		out = append(append(out, "--"), positional...)
	}
	return out
}

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	described, ok := f.(cli.DocGenerationFlag)
	return ok && described.TakesValue()
}
