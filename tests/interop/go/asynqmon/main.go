// Command asynqmon serves the original web back end on a free port of this machine, and prints its address as a JSON
// line. It ends when its standard input is closed, so that it does not outlive the test that started it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
)

func main() {
	redis := flag.String("redis", "", "URL of Redis")
	root := flag.String("root", "", "root path")
	prometheus := flag.String("prometheus", "", "URL of Prometheus")
	readOnly := flag.Bool("read-only", false, "refuse changes")
	flag.Parse()
	options := asynqmon.Options{RootPath: *root, PrometheusAddress: *prometheus, ReadOnly: *readOnly}
	if err := run(*redis, options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(redis string, options asynqmon.Options) error {
	connection, err := asynq.ParseRedisURI(redis)
	if err != nil {
		return err
	}
	options.RedisConnOpt = connection
	handler := asynqmon.New(options)
	defer handler.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go http.Serve(listener, handler)
	if err := json.NewEncoder(os.Stdout).Encode("http://" + listener.Addr().String()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
