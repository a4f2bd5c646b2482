package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// fillCallers is how many goroutines fill a queue when speed is not what is measured.
const fillCallers = 16

type payload struct {
	N      int    `json:"n"`
	SentNs int64  `json:"sent_ns"`
	Note   string `json:"note"`
}

// produce does what s.Mode asks for and returns the seconds it took.
func produce(redis asynq.RedisConnOpt, s settings) (float64, error) {
	client := asynq.NewClient(redis)
	defer client.Close()
	if err := client.Ping(); err != nil {
		return 0, err
	}
	options := []asynq.Option{asynq.Timeout(time.Minute), asynq.Deadline(time.Now().Add(time.Hour))}
	enqueue := func(n int, sentNs int64, more ...asynq.Option) error {
		body, err := json.Marshal(payload{n, sentNs, "benchmark"})
		if err != nil {
			return err
		}
		_, err = client.Enqueue(asynq.NewTask(taskType, body, options...), more...)
		return err
	}
	now := func(n int) error { return enqueue(n, time.Now().UnixNano()) }
	moments := askedMoments(s)
	at := func(n int) error { return enqueue(n, moments[n], asynq.ProcessAt(time.Unix(0, moments[n]))) }

	started := time.Now()
	var err error
	switch s.Mode {
	case "blocking":
		err = callers(1, s.Count, now)
	case "callers":
		err = callers(s.Callers, s.Count, now)
	case "fill":
		err = callers(fillCallers, s.Count, now)
	case "grouped":
		err = callers(fillCallers, s.Count, func(n int) error {
			return enqueue(n, time.Now().UnixNano(), asynq.Group(groupName))
		})
	case "paced":
		err = callers(1, s.Count, func(n int) error {
			gapMs := s.GapLowMs + rand.Float64()*(s.GapHighMs-s.GapLowMs)
			time.Sleep(time.Duration(gapMs * float64(time.Millisecond)))
			return now(n)
		})
	case "scheduled", "due":
		err = callers(fillCallers, s.Count, at)
	default:
		err = fmt.Errorf("unknown mode %q", s.Mode)
	}
	return time.Since(started).Seconds(), err
}

// askedMoments are the moments at which the tasks of the modes "scheduled" and "due" are asked to start.
func askedMoments(s settings) []int64 {
	moments := make([]int64, s.Count)
	start := time.Now().Add(time.Duration(s.LeadSeconds * float64(time.Second))).UnixNano()
	for n := range moments {
		moments[n] = s.DueAtNs
		if s.Mode == "scheduled" {
			moments[n] = start + rand.Int63n(int64(s.SpreadSeconds*float64(time.Second)))
		}
	}
	slices.Sort(moments)
	return moments
}

// callers lets so many goroutines share the tasks 0 to count-1 and returns one of their errors.
func callers(callers, count int, enqueue func(n int) error) error {
	errs := make(chan error, callers)
	var group sync.WaitGroup
	for first := range callers {
		group.Go(func() {
			for n := first; n < count; n += callers {
				if err := enqueue(n); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(errs)
	return <-errs
}
