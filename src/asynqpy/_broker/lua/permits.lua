-- Included by the scripts of `max_active`: who holds a permit to run, and who is given the next.
-- `holders` has the moment in milliseconds at which each permit ends by itself, `owners` the claim that each belongs
-- to. A permit without an owner was given to a waiting task, which has a few seconds to come for it.
local GRACE_MILLISECONDS = 5000
local KEEP_MILLISECONDS = 3600000
local MOST_GIVEN = 100

local function drop_ended_permits(holders, owners, now_milliseconds)
  local ended = redis.call('ZRANGEBYSCORE', holders, '-inf', now_milliseconds, 'LIMIT', 0, 1000)
  if #ended > 0 then
    redis.call('ZREM', holders, unpack(ended))
    redis.call('HDEL', owners, unpack(ended))
  end
end

-- Gives free permits to those that wait longest. Returns these.
local function give_permits(holders, owners, waiting, max_active, now_milliseconds)
  drop_ended_permits(holders, owners, now_milliseconds)
  local free = math.min(max_active - redis.call('ZCARD', holders), MOST_GIVEN)
  if free <= 0 then
    return {}
  end
  local first = redis.call('ZRANGE', waiting, 0, free - 1)
  for _, member in ipairs(first) do
    redis.call('ZADD', holders, now_milliseconds + GRACE_MILLISECONDS, member)
  end
  if #first > 0 then
    redis.call('ZREM', waiting, unpack(first))
    redis.call('PEXPIRE', holders, KEEP_MILLISECONDS)
  end
  return first
end

local function hold_permit(holders, owners, member, token, ends_milliseconds)
  redis.call('ZADD', holders, ends_milliseconds, member)
  redis.call('PEXPIRE', holders, KEEP_MILLISECONDS)
  if token == '' then
    redis.call('HDEL', owners, member)
  else
    redis.call('HSET', owners, member, token)
    redis.call('PEXPIRE', owners, KEEP_MILLISECONDS)
  end
end
