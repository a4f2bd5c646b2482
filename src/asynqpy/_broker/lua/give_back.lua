-- Give back the permits of attempts that have ended, or those that were given to tasks which will not come.
-- KEYS  holders owners waiting
-- ARGV  max_active *( member token )
-- Returns the members that were given a permit, to be called.
-- include permits
local time = redis.call('TIME')
local now_milliseconds = time[1] * 1000 + math.floor(time[2] / 1000)
for at = 2, #ARGV, 2 do
  local member = ARGV[at]
  if (redis.call('HGET', KEYS[2], member) or '') == ARGV[at + 1] then
    redis.call('ZREM', KEYS[1], member)
    redis.call('HDEL', KEYS[2], member)
  end
end
return give_permits(KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1]), now_milliseconds)
