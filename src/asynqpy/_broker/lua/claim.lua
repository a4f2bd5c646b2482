-- Take up to `count` pending tasks, oldest first.                        asynq: dequeueCmd
-- An id without a message is dropped: asynq would keep it in `active` for ever.
-- KEYS  pending active lease paused
-- ARGV  task_prefix token lease_milliseconds count
-- Returns -1 when the queue is paused, else a flat list: id, message, pending_since (empty when unknown) of each task.
local task_prefix, token = ARGV[1], ARGV[2]
if redis.call('EXISTS', KEYS[4]) == 1 then
  return -1
end
local ids = redis.call('RPOP', KEYS[1], ARGV[4])
if not ids then
  return {}
end
local time = redis.call('TIME')
local ends = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[3])
if ends % 1000 == 0 then
  ends = ends + 1 -- never a whole second: that is how a lease shows that a Python server made it
end
local score = string.format('%.3f', ends / 1000)
local claimed, claims, leases = {}, {}, {}
for _, id in ipairs(ids) do
  local key = task_prefix .. id
  local fields = redis.call('HMGET', key, 'msg', 'pending_since')
  if fields[1] then
    redis.call('HSET', key, 'state', 'active', 'py:claim', token)
    if fields[2] then
      redis.call('HDEL', key, 'pending_since')
    end
    claims[#claims + 1] = id
    leases[#leases + 1] = score
    leases[#leases + 1] = id
    claimed[#claimed + 1] = id
    claimed[#claimed + 1] = fields[1]
    claimed[#claimed + 1] = fields[2] or ''
  else
    redis.call('DEL', key)
  end
end
for first = 1, #claims, 1000 do -- unpack() fails from 8,000 values on
  local last = math.min(first + 999, #claims)
  redis.call('LPUSH', KEYS[2], unpack(claims, first, last))
  redis.call('ZADD', KEYS[3], unpack(leases, 2 * first - 1, 2 * last))
end
return claimed
