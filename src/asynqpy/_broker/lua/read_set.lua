-- Read a page of an aggregation set, oldest task first.                  asynq: readAggregationSetCmd
-- KEYS  set
-- ARGV  task_prefix offset limit
-- Returns id, message and lock key for each; no message: the id stands for no task that waits in a group.
local found = {}
local first = tonumber(ARGV[2])
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], first, first + tonumber(ARGV[3]) - 1)) do
  local fields = redis.call('HMGET', ARGV[1] .. id, 'state', 'msg', 'unique_key')
  found[#found + 1] = id
  found[#found + 1] = fields[1] == 'aggregating' and fields[2] or ''
  found[#found + 1] = fields[3] or ''
end
return found
