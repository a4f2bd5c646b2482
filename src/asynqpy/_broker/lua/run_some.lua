-- Make the next few tasks of a sorted set pending.                       asynq: runAllCmd, runAllAggregatingCmd
-- The one with the lowest score runs first, behind what is pending already. An id without a task is dropped.
-- KEYS  container pending groups due
-- ARGV  task_prefix group now_nanoseconds lowest highest limit
-- Returns how many became pending, how many were looked at, and the score of the last.
-- include take
local ids, score = take(KEYS[1], ARGV[4], ARGV[5], ARGV[6])
local pending = {}
for _, id in ipairs(ids) do
  local key = ARGV[1] .. id
  if redis.call('HEXISTS', key, 'msg') == 1 then
    redis.call('HSET', key, 'state', 'pending', 'pending_since', ARGV[3])
    pending[#pending + 1] = id
  else
    redis.call('DEL', key)
  end
end
if #ids > 0 then
  redis.call('ZREM', KEYS[4], unpack(ids))
end
if #pending > 0 then
  redis.call('LPUSH', KEYS[2], unpack(pending))
end
forget_empty_group(KEYS[3], ARGV[2], KEYS[1])
return {#pending, #ids, score}
