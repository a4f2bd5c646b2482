-- Take tasks out of a group into an aggregation set, if they have waited enough.     asynq: aggregationCheckCmd
-- Once the set exists a call makes it grow to `size`: large sets are formed by several calls, and a call may be repeated
-- when its reply was lost.
-- KEYS  groups aggregation_sets group set
-- ARGV  name max_size max_delay_seconds grace_seconds set_seconds size
-- Returns the tasks in the set, those left in the group, and whether these have waited enough too (1 or 0).
-- include group_rules
local max_size, max_delay, grace = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = tonumber(redis.call('TIME')[1])
local left = redis.call('ZCARD', KEYS[3])
local formed = redis.call('ZSCORE', KEYS[2], KEYS[4])
local size = redis.call('ZCARD', KEYS[4])
if left > 0 and (formed or is_due(KEYS[3], left, max_size, max_delay, grace, now)) then
  if not formed then
    redis.call('ZADD', KEYS[2], now + tonumber(ARGV[5]), KEYS[4])
  end
  move(KEYS[3], KEYS[4], tonumber(ARGV[6]) - size)
  size = redis.call('ZCARD', KEYS[4])
  left = redis.call('ZCARD', KEYS[3])
end
if left == 0 then
  redis.call('SREM', KEYS[1], ARGV[1])
end
return {size, left, is_due(KEYS[3], left, max_size, max_delay, grace, now) and 1 or 0}
