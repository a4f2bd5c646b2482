// Driver of Go's asynq: the same jobs, settings and tally as the Python drivers (see ../shared).
//
// Configuration: asynq's defaults but for concurrency and a quieter log; one middleware, a JSON payload decoded into a
// struct, a timeout and a deadline on every task, as asynqpy's driver has. go-redis' default pool.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
)

const (
	taskType  = "bench:noop"
	groupName = "bench"
)

// settings is the JSON of ../shared/settings.py.
type settings struct {
	RedisURL      string  `json:"redis_url"`
	TallyPath     string  `json:"tally_path"`
	Concurrency   int     `json:"concurrency"`
	Queues        int     `json:"queues"`
	HoldSeconds   float64 `json:"hold_seconds"`
	GroupSize     int     `json:"group_size"`
	Mode          string  `json:"mode"`
	Count         int     `json:"count"`
	Callers       int     `json:"callers"`
	GapLowMs      float64 `json:"gap_low_ms"`
	GapHighMs     float64 `json:"gap_high_ms"`
	LeadSeconds   float64 `json:"lead_seconds"`
	SpreadSeconds float64 `json:"spread_seconds"`
	DueAtNs       int64   `json:"due_at_ns"`
}

func main() {
	var s settings
	if err := json.Unmarshal([]byte(os.Getenv("BENCH_SETTINGS")), &s); err != nil {
		log.Fatal(err)
	}
	redis, err := asynq.ParseRedisURI(s.RedisURL)
	if err != nil {
		log.Fatal(err)
	}
	switch os.Args[1] {
	case "work":
		if err := work(redis, s); err != nil {
			log.Fatal(err)
		}
	case "produce":
		cpuBefore := cpuSeconds()
		seconds, err := produce(redis, s)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf(`{"count": %d, "seconds": %f, "cpu_seconds": %f}`+"\n", s.Count, seconds, cpuSeconds()-cpuBefore)
	}
}

// cpuSeconds is the processor time that this process used so far.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func queueNames(count int) map[string]int {
	queues := map[string]int{"default": 1}
	for i := 1; i < count; i++ {
		queues[fmt.Sprintf("queue-%d", i)] = 1
	}
	return queues
}

// passOn is the one middleware that every worker of the benchmark has.
func passOn(next asynq.Handler) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		return next.ProcessTask(ctx, task)
	})
}
