-- Store a result while the attempt owns the task.                        asynq: HSET in WriteResult
-- asynq writes without looking and so brings deleted tasks back as hashes without a message.
-- KEYS  task
-- ARGV  token result
-- Returns 1, or 0 when the claim is lost.
local fields = redis.call('HMGET', KEYS[1], 'py:claim', 'state')
if fields[1] ~= ARGV[1] or fields[2] ~= 'active' then
  return 0
end
redis.call('HSET', KEYS[1], 'result', ARGV[2])
return 1
