// Command interop is the Go end of asynqpy's interoperability tests: an ordinary asynq program, driven over pipes.
//
//	interop peer      -redis URL                 a client and an inspector: one JSON request a line, one JSON reply a line
//	interop worker    -redis URL -config JSON    a server that reports every task it runs as a JSON line
//	interop scheduler -redis URL -config JSON    a scheduler with the entries of the configuration
//
// Bytes travel as base64, durations as seconds, moments as Unix nanoseconds (0 = none). Every subcommand ends when
// its standard input is closed, so that nothing outlives the test that started it.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: interop peer|worker|scheduler -redis URL [-config JSON]"))
	}
	var run func(arguments []string) error
	switch os.Args[1] {
	case "peer":
		run = runPeer
	case "worker":
		run = runWorker
	case "scheduler":
		run = runScheduler
	default:
		fail(fmt.Errorf("interop: unknown subcommand %q", os.Args[1]))
	}
	if err := run(os.Args[2:]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
