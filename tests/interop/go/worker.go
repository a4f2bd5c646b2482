package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// workerConfig is asynq.Config as far as tests choose it. Intervals are short by default: tests wait for events.
type workerConfig struct {
	Concurrency       int            `json:"concurrency"`
	Queues            map[string]int `json:"queues"`
	Strict            bool           `json:"strict_priority"`
	RetryDelay        float64        `json:"retry_delay"`
	ShutdownTimeout   float64        `json:"shutdown_timeout"`
	TaskCheckInterval float64        `json:"task_check_interval"`
	DelayedInterval   float64        `json:"delayed_task_check_interval"`
	JanitorInterval   float64        `json:"janitor_interval"`
	GroupGracePeriod  float64        `json:"group_grace_period"`
	GroupMaxSize      int            `json:"group_max_size"`
	Aggregate         bool           `json:"aggregate"`      // join the payloads of a group with commas into one task "aggregated"
	HoldAggregate     bool           `json:"hold_aggregate"` // never return from the aggregate function
	NotFailure        string         `json:"not_failure"`
	Handles           []string       `json:"handles"` // more patterns, whose tasks succeed
	Tokens            int            `json:"tokens"`  // of the semaphore that tasks of type "shared" pass
}

// event is one line of a worker's report.
type event struct {
	Event    string            `json:"event"` // start or end
	ID       string            `json:"id"`
	Type     string            `json:"type"`
	Payload  []byte            `json:"payload"`
	Headers  map[string]string `json:"headers"`
	Queue    string            `json:"queue"`
	Retried  int               `json:"retried"`
	MaxRetry int               `json:"max_retry"`
	Deadline int64             `json:"deadline_ns"`
	Now      int64             `json:"now_ns"`
	Error    string            `json:"error"`
}

// program is the payload of an "act" task: what its handler does, in this order.
type program struct {
	Go     *program `json:"go"`     // overrides the rest on this side; a Python worker looks at "python"
	Result *string  `json:"result"` // write this result first
	Hold   bool     `json:"hold"`   // wait for a release command, or for the context
	Sleep  float64  `json:"sleep"`  // then this long, or until the context is done
	Do     string   `json:"do"`     // succeed, fail, skip, revoke, panic
	Error  string   `json:"error"`
	Until  *int     `json:"until"` // do it only while fewer retries than this were made, then succeed
}

type worker struct {
	output *writer
	gate   *gate
}

func runWorker(arguments []string) error {
	config := workerConfig{TaskCheckInterval: 0.05, DelayedInterval: 0.1, RetryDelay: 1, JanitorInterval: 0.5}
	redis, err := parseArguments(arguments, &config)
	if err != nil {
		return err
	}
	w := &worker{output: newWriter(), gate: newGate()}
	mux := asynq.NewServeMux()
	mux.HandleFunc("act", w.reported(act(w.gate)))
	mux.HandleFunc("echo", w.reported(echo))
	mux.HandleFunc("stubborn", w.reported(stubborn))
	mux.HandleFunc("record", w.reported(succeed))
	mux.HandleFunc("aggregated", w.reported(succeed))
	for _, pattern := range config.Handles {
		mux.HandleFunc(pattern, w.reported(succeed))
	}
	if config.Tokens > 0 {
		mux.HandleFunc("shared", holdingToken(redis, config.Tokens, w.reported(act(w.gate))))
	}
	server := asynq.NewServer(redis, config.asynq())
	go obey(server, w.gate)
	return server.Run(mux)
}

func (c *workerConfig) asynq() asynq.Config {
	config := asynq.Config{
		Concurrency:              c.Concurrency,
		Queues:                   c.Queues,
		StrictPriority:           c.Strict,
		RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return seconds(c.RetryDelay) },
		ShutdownTimeout:          seconds(c.ShutdownTimeout),
		TaskCheckInterval:        seconds(c.TaskCheckInterval),
		DelayedTaskCheckInterval: seconds(c.DelayedInterval),
		JanitorInterval:          seconds(c.JanitorInterval),
		GroupGracePeriod:         seconds(c.GroupGracePeriod),
		GroupMaxSize:             c.GroupMaxSize,
		LogLevel:                 asynq.WarnLevel,
	}
	if c.NotFailure != "" {
		config.IsFailure = func(err error) bool { return !strings.Contains(err.Error(), c.NotFailure) }
	}
	if c.Aggregate {
		config.GroupAggregator = asynq.GroupAggregatorFunc(aggregate)
	}
	if c.HoldAggregate {
		config.GroupAggregator = asynq.GroupAggregatorFunc(func(string, []*asynq.Task) *asynq.Task { select {} })
	}
	return config
}

func aggregate(group string, tasks []*asynq.Task) *asynq.Task {
	payloads := make([]string, 0, len(tasks))
	for _, task := range tasks {
		payloads = append(payloads, string(task.Payload()))
	}
	return asynq.NewTask("aggregated:"+group, []byte(strings.Join(payloads, ",")))
}

// obey carries out the commands on standard input; when that closes the test is gone, and so is the worker.
func obey(server *asynq.Server, gate *gate) {
	err := readLines(func(line []byte) error {
		var command struct {
			Command string `json:"command"`
			ID      string `json:"id"`
		}
		if err := json.Unmarshal(line, &command); err != nil {
			return err
		}
		switch command.Command {
		case "release":
			gate.release(command.ID)
		case "stop":
			server.Stop()
		}
		return nil
	})
	if err != nil {
		fail(err)
	}
	os.Exit(0)
}

// reported wraps a handler so that its start and its end are lines of the report.
func (w *worker) reported(handle asynq.HandlerFunc) asynq.HandlerFunc {
	return func(ctx context.Context, task *asynq.Task) (err error) {
		line := event{Type: task.Type(), Payload: task.Payload(), Headers: task.Headers()}
		line.ID, _ = asynq.GetTaskID(ctx)
		line.Queue, _ = asynq.GetQueueName(ctx)
		line.Retried, _ = asynq.GetRetryCount(ctx)
		line.MaxRetry, _ = asynq.GetMaxRetry(ctx)
		if deadline, ok := ctx.Deadline(); ok {
			line.Deadline = deadline.UnixNano()
		}
		line.Event, line.Now = "start", time.Now().UnixNano()
		w.output.write(line)

		panicked := true
		defer func() {
			line.Event, line.Now = "end", time.Now().UnixNano()
			if panicked {
				line.Error = "panic"
			} else if err != nil {
				line.Error = err.Error()
			}
			w.output.write(line)
		}()
		err = handle(ctx, task)
		panicked = false
		return err
	}
}

func succeed(context.Context, *asynq.Task) error { return nil }

// stubborn works for as many seconds as the payload says, whatever the context says.
func stubborn(_ context.Context, task *asynq.Task) error {
	duration, err := strconv.ParseFloat(string(task.Payload()), 64)
	time.Sleep(seconds(duration))
	return err
}

// echo gives the payload back as the result.
func echo(_ context.Context, task *asynq.Task) error {
	_, err := task.ResultWriter().Write(task.Payload())
	return err
}

// act does what the payload says.
func act(gate *gate) asynq.HandlerFunc {
	return func(ctx context.Context, task *asynq.Task) error {
		var p program
		if err := json.Unmarshal(task.Payload(), &p); err != nil {
			return fmt.Errorf("not a program: %w", err)
		}
		if p.Go != nil {
			p = *p.Go
		}
		return p.run(ctx, task, gate)
	}
}

func (p *program) run(ctx context.Context, task *asynq.Task, gate *gate) error {
	if p.Result != nil {
		if _, err := task.ResultWriter().Write([]byte(*p.Result)); err != nil {
			return err
		}
	}
	if p.Hold {
		id, _ := asynq.GetTaskID(ctx)
		select {
		case <-gate.of(id):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if p.Sleep > 0 {
		select {
		case <-time.After(seconds(p.Sleep)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if retried, _ := asynq.GetRetryCount(ctx); p.Until != nil && retried >= *p.Until {
		return nil
	}
	switch p.Do {
	case "", "succeed":
		return nil
	case "fail":
		return errors.New(p.Error)
	case "skip":
		return &instruction{p.Error, asynq.SkipRetry}
	case "revoke":
		return &instruction{p.Error, asynq.RevokeTask}
	case "panic":
		panic(p.Error)
	default:
		return fmt.Errorf("interop: cannot do %q", p.Do)
	}
}

// instruction is a sentinel of asynq under a text of its own.
type instruction struct {
	text     string
	sentinel error
}

func (i *instruction) Error() string { return i.text }
func (i *instruction) Unwrap() error { return i.sentinel }

// gate holds tasks until the test lets them go.
type gate struct {
	lock sync.Mutex
	open map[string]chan struct{}
}

func newGate() *gate { return &gate{open: map[string]chan struct{}{}} }

func (g *gate) of(id string) <-chan struct{} {
	g.lock.Lock()
	defer g.lock.Unlock()
	return g.channel(id)
}

// release lets the task pass, now and whenever it comes back.
func (g *gate) release(id string) {
	g.lock.Lock()
	defer g.lock.Unlock()
	channel := g.channel(id)
	select {
	case <-channel:
	default:
		close(channel)
	}
}

func (g *gate) channel(id string) chan struct{} {
	if g.open[id] == nil {
		g.open[id] = make(chan struct{})
	}
	return g.open[id]
}
