-- Delete more of the tasks that were aggregated.
-- KEYS  spent
-- ARGV  task_prefix limit
-- Returns the number of sets that still hold some.
-- include delete_parts
local set = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
if set and delete_parts(set, ARGV[1], tonumber(ARGV[2])) == 0 then
  redis.call('ZREM', KEYS[1], set)
end
return redis.call('ZCARD', KEYS[1])
