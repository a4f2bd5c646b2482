-- Extend the permits of running attempts.
-- One that has ended stays so: the lease of its task has ended with it, and the attempt is told to stop.
-- KEYS  holders owners waiting
-- ARGV  max_active lease_milliseconds *( member token )
-- Returns the members that were given a permit, to be called.
-- include permits
local time = redis.call('TIME')
local now_milliseconds = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREM', KEYS[1], '') -- needs no memory, so that a full server does not refuse the others; see `extend`
drop_ended_permits(KEYS[1], KEYS[2], now_milliseconds)
for at = 3, #ARGV, 2 do
  local member, token = ARGV[at], ARGV[at + 1]
  if redis.call('HGET', KEYS[2], member) == token then
    hold_permit(KEYS[1], KEYS[2], member, token, now_milliseconds + ARGV[2])
  end
end
return give_permits(KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1]), now_milliseconds)
