-- Read the numbers of a queue at one moment.                             asynq: currentStatsCmd
-- Tasks in groups are not among them: a queue may have very many groups, and each has a size of its own.
-- KEYS  pending active scheduled retry archived completed groups paused processed processed_today failed failed_today
-- ARGV  task_prefix
-- Returns the sizes in the order of the first seven keys, whether the queue is paused, the four counters, and since
-- when the task waits that is next to run (nanoseconds, empty when unknown).
local call = redis.call
local stats = {call('LLEN', KEYS[1]), call('LLEN', KEYS[2])}
for _, key in ipairs({KEYS[3], KEYS[4], KEYS[5], KEYS[6]}) do
  stats[#stats + 1] = call('ZCARD', key)
end
stats[#stats + 1] = call('SCARD', KEYS[7])
stats[#stats + 1] = call('EXISTS', KEYS[8])
for _, key in ipairs({KEYS[9], KEYS[10], KEYS[11], KEYS[12]}) do
  stats[#stats + 1] = call('GET', key) or '0'
end
local oldest = call('LINDEX', KEYS[1], -1)
stats[#stats + 1] = oldest and call('HGET', ARGV[1] .. oldest, 'pending_since') or ''
return stats
