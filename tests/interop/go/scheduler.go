package main

import (
	"os"
	"time"

	"github.com/hibiken/asynq"
)

type schedulerConfig struct {
	HeartbeatInterval float64 `json:"heartbeat_interval"`
	Entries           []struct {
		Spec string `json:"spec"`
		Task task   `json:"task"`
	} `json:"entries"`
}

// runScheduler registers the entries, reports their ids, and runs until it is told to end.
func runScheduler(arguments []string) error {
	config := schedulerConfig{HeartbeatInterval: 1}
	redis, err := parseArguments(arguments, &config)
	if err != nil {
		return err
	}
	scheduler := asynq.NewScheduler(redis, &asynq.SchedulerOpts{
		Location:          time.UTC,
		LogLevel:          asynq.WarnLevel,
		HeartbeatInterval: seconds(config.HeartbeatInterval),
	})
	output := newWriter()
	for _, entry := range config.Entries {
		id, err := scheduler.Register(entry.Spec, entry.Task.task(), entry.Task.options()...)
		if err != nil {
			return err
		}
		output.write(map[string]string{"entry": id, "spec": entry.Spec})
	}
	go func() {
		if err := readLines(func([]byte) error { return nil }); err != nil {
			fail(err)
		}
		os.Exit(0)
	}()
	return scheduler.Run()
}
