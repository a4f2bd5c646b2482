-- Move due tasks to the pending list or into their group.                asynq: forwardCmd
-- Whole seconds come from the two sets that Go reads; finer moments from the index `due`, whose entries count only
-- while they agree with the score in the set, so that whatever a Go peer does to a task wins.
-- KEYS  scheduled retry pending groups due
-- ARGV  task_prefix group_prefix limit
-- Returns the number moved, and the milliseconds until the next is due (-1: none waits, 0: call again).
local task_prefix, group_prefix, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local seconds = time[1]
local milliseconds = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local nanoseconds = time[1] .. string.format('%06d000', tonumber(time[2]))
local sources = {KEYS[1], KEYS[2]}
local ready = {{}, {}}
local found = 0

local moments = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', milliseconds, 'WITHSCORES', 'LIMIT', 0, limit)
local passed = {}
for at = 1, #moments, 2 do
  local id = moments[at]
  local score = math.ceil(tonumber(moments[at + 1]) / 1000)
  for which, source in ipairs(sources) do
    if tonumber(redis.call('ZSCORE', source, id) or '-1') == score then
      table.insert(ready[which], id)
      found = found + 1
      redis.call('ZREM', source, id)
    end
  end
  passed[#passed + 1] = id
end
if #passed > 0 then
  redis.call('ZREM', KEYS[5], unpack(passed))
end
for which, source in ipairs(sources) do
  local due = found < limit and redis.call('ZRANGEBYSCORE', source, '-inf', seconds, 'LIMIT', 0, limit - found) or {}
  if #due > 0 then
    redis.call('ZREM', source, unpack(due))
    redis.call('ZREM', KEYS[5], unpack(due))
  end
  for _, id in ipairs(due) do
    table.insert(ready[which], id)
  end
  found = found + #due
end

local pending = {}
for _, ids in ipairs(ready) do
  for _, id in ipairs(ids) do
    local key = task_prefix .. id
    local fields = redis.call('HMGET', key, 'state', 'group')
    if not fields[1] then
      redis.call('DEL', key) -- an id without a task
    elseif fields[2] and fields[2] ~= '' then
      redis.call('ZADD', group_prefix .. fields[2], seconds, id)
      redis.call('SADD', KEYS[4], fields[2])
      redis.call('HSET', key, 'state', 'aggregating')
    else
      redis.call('HSET', key, 'state', 'pending', 'pending_since', nanoseconds)
      pending[#pending + 1] = id
    end
  end
end
if #pending > 0 then
  redis.call('LPUSH', KEYS[3], unpack(pending))
end

if found >= limit or #passed >= limit then
  return {found, 0}
end
local next_due = -1
for which, key in ipairs({KEYS[1], KEYS[2], KEYS[5]}) do
  local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  if first then
    local moment = tonumber(first) * (which == 3 and 1 or 1000)
    if next_due == -1 or moment < next_due then
      next_due = moment
    end
  end
end
if next_due == -1 then
  return {found, -1}
end
return {found, math.max(1, next_due - milliseconds)}
