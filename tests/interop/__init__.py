"""Go asynq and asynqpy on one Redis, each unaware of what the other is written in."""
