package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hibiken/asynq"
)

// work runs a server until a signal stops it.
func work(redis asynq.RedisConnOpt, s settings) error {
	tally, err := openTally(s.TallyPath)
	if err != nil {
		return err
	}
	config := asynq.Config{
		Concurrency: s.Concurrency,
		Queues:      queueNames(s.Queues),
		LogLevel:    asynq.WarnLevel,
	}
	if s.GroupSize > 0 {
		config.GroupAggregator = asynq.GroupAggregatorFunc(aggregate)
		config.GroupMaxSize = s.GroupSize
		config.GroupGracePeriod = time.Second
	}
	server := asynq.NewServer(redis, config)
	mux := asynq.NewServeMux()
	mux.Use(passOn)
	mux.HandleFunc(taskType, func(ctx context.Context, task *asynq.Task) error {
		var p payload
		if err := json.Unmarshal(task.Payload(), &p); err != nil {
			return err
		}
		tally.hit(p.N, p.SentNs)
		if s.HoldSeconds > 0 {
			time.Sleep(time.Duration(s.HoldSeconds * float64(time.Second)))
		}
		return nil
	})
	return server.Run(mux)
}

// aggregate makes one task that tells how many it was made of.
func aggregate(group string, tasks []*asynq.Task) *asynq.Task {
	body, err := json.Marshal(payload{len(tasks), time.Now().UnixNano(), "benchmark"})
	if err != nil {
		panic(err)
	}
	return asynq.NewTask(taskType, body, asynq.Timeout(time.Minute), asynq.Deadline(time.Now().Add(time.Hour)))
}
