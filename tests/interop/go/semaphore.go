package main

import (
	"context"
	"errors"
	"time"

	v8 "github.com/go-redis/redis/v8"
	"github.com/hibiken/asynq"
	"github.com/hibiken/asynq/x/rate"
)

const (
	semaphoreScope = "interop"
	semaphoreFull  = "semaphore full" // tests let this count as no failure
)

// older makes clients of the older go-redis that the published x/rate is compiled for.
type older struct{ asynq.RedisClientOpt }

func (o older) MakeRedisClient() any {
	return v8.NewClient(&v8.Options{Addr: o.Addr, DB: o.DB, Username: o.Username, Password: o.Password})
}

// holdingToken runs the handler with a token of x/rate's semaphore, or fails when there is none.
func holdingToken(redis asynq.RedisConnOpt, tokens int, handle asynq.HandlerFunc) asynq.HandlerFunc {
	semaphore := rate.NewSemaphore(older{redis.(asynq.RedisClientOpt)}, semaphoreScope, tokens)
	return func(ctx context.Context, task *asynq.Task) (err error) {
		acquired, err := semaphore.Acquire(ctx)
		if err != nil {
			return err
		}
		if !acquired {
			return errors.New(semaphoreFull)
		}
		defer func() {
			// The context of the attempt may be over, but the token must go back. x/rate reads the task's id from it.
			released, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			err = errors.Join(err, semaphore.Release(released))
		}()
		return handle(ctx, task)
	}
}
