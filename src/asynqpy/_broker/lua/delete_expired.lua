-- Delete completed tasks whose retention has passed.                     asynq: deleteExpiredCompletedTasksCmd
-- KEYS  completed
-- ARGV  task_prefix limit
-- Returns the number deleted, and the milliseconds until the next is due (-1: none waits, 0: call again).
local time = redis.call('TIME')
local milliseconds = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local limit = tonumber(ARGV[2])
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', time[1], 'LIMIT', 0, limit)
if #ids > 0 then
  local hashes = {}
  for i, id in ipairs(ids) do
    hashes[i] = ARGV[1] .. id
  end
  redis.call('DEL', unpack(hashes))
  redis.call('ZREM', KEYS[1], unpack(ids))
end
if #ids >= limit then
  return {#ids, 0}
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if not first then
  return {#ids, -1}
end
return {#ids, math.max(1, tonumber(first) * 1000 - milliseconds)}
