-- Read the numbers of a queue at one moment.                             asynq: currentStatsCmd
-- Tasks in groups are not among them: a queue may have very many groups, and each has a size of its own.
-- KEYS  pending active scheduled retry archived completed groups paused processed processed_today failed failed_today
-- ARGV  task_prefix
-- Returns the sizes in the order of the first seven keys, whether the queue is paused, the four counters, and since
-- when the task waits that is next to run (nanoseconds, empty when unknown).
local call = redis.call
local oldest = call('LINDEX', KEYS[1], -1)
local counters = call('MGET', KEYS[9], KEYS[10], KEYS[11], KEYS[12])
return {
  oldest and call('LLEN', KEYS[1]) or 0,
  call('LLEN', KEYS[2]),
  call('ZCARD', KEYS[3]),
  call('ZCARD', KEYS[4]),
  call('ZCARD', KEYS[5]),
  call('ZCARD', KEYS[6]),
  call('SCARD', KEYS[7]),
  call('EXISTS', KEYS[8]),
  counters[1] or '0',
  counters[2] or '0',
  counters[3] or '0',
  counters[4] or '0',
  oldest and call('HGET', ARGV[1] .. oldest, 'pending_since') or '',
}
