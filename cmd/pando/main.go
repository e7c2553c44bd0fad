// Pando makes new projects, and new apps in them.
//
//	pando startproject demo          a site in the folder demo
//	cd demo && pando startapp shop   an app in it, with a table that is live
//	pando startapp blog --pages      one of pages only
//
// A project that is made from a checkout of Pando uses that checkout, and needs no
// network; else it uses the version that this program is of.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(&environment{ctx: ctx, dir: ".", stdout: os.Stdout, stderr: os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}

// environment is what a command has from outside.
type environment struct {
	ctx            context.Context //nolint:containedctx // one environment is one run of one command
	dir            string          // the working directory
	stdout, stderr io.Writer
}

// commands is the grammar of the command line.
type commands struct {
	Startproject startproject `cmd:"" help:"Make a project in a folder of its name."`
	Startapp     startapp     `cmd:"" help:"Add an app to the project in the working directory."`
}

// run is main without the process around it.
func run(env *environment, args []string) (code int) {
	if err := dispatch(env, args); err != nil {
		fmt.Fprintf(env.stderr, "pando: %v\n", err)
		return 1
	}
	return 0
}

func dispatch(env *environment, args []string) error {
	helped := false
	parser, err := kong.New(&commands{},
		kong.Name("pando"),
		kong.Description("Makes projects on Pando, and apps in them."),
		kong.Writers(env.stdout, env.stderr),
		kong.Exit(func(int) { helped = true }), // --help asks to end the program
	)
	if err != nil {
		return fmt.Errorf("read grammar: %w", err)
	}
	command, err := parser.Parse(args)
	if helped {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w (--help shows what there is)", err)
	}
	return command.Run(env)
}
