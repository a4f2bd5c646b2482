-- Note that the attempt of this claim begins, while the claim holds the task.
-- Only for a task on its last chance: should its worker die, this tells that the task was running, and not just claimed.
-- KEYS  task
-- ARGV  token
-- Returns 1, or 0 when the claim is lost.
local fields = redis.call('HMGET', KEYS[1], 'py:claim', 'state')
if fields[1] ~= ARGV[1] or fields[2] ~= 'active' then
  return 0
end
redis.call('HSET', KEYS[1], 'py:begun', ARGV[1])
return 1
