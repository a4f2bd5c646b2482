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
	server := asynq.NewServer(redis, asynq.Config{
		Concurrency: s.Concurrency,
		Queues:      queueNames(s.Queues),
		LogLevel:    asynq.WarnLevel,
	})
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
