-- Take a token of a semaphore until a deadline.                          asynq: acquireCmd of x/rate
-- Who has one already gets it again; asynq counts it against itself.
-- KEYS  semaphore
-- ARGV  max_tokens deadline_seconds task_id
-- Returns 1, or 0 when all are taken.
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] - 1)
local is_ours = redis.call('ZSCORE', KEYS[1], ARGV[3])
if not is_ours and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
return 1
