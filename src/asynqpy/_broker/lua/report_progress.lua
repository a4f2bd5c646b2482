-- Store how far an attempt is, while it owns the task.
-- KEYS  task
-- ARGV  token fraction text
-- Returns 1, or 0 when the claim is lost.
local fields = redis.call('HMGET', KEYS[1], 'py:claim', 'state')
if fields[1] ~= ARGV[1] or fields[2] ~= 'active' then
  return 0
end
local time = redis.call('TIME')
local at = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], 'py:progress', ARGV[2], 'py:progress_text', ARGV[3], 'py:progress_at', at)
return 1
