-- Change the moment for which a scheduled or retried task waits.
-- KEYS  task scheduled retry due
-- ARGV  id score due_milliseconds
-- Returns a code and the state: 1 done, 0 no such task, -1 its state does not allow it, -2 it is not where its state
-- says.
-- include note_due
local fields = redis.call('HMGET', KEYS[1], 'msg', 'state')
local state = fields[2] or ''
if not fields[1] then
  return {0, ''}
end
local container = ({scheduled = KEYS[2], retry = KEYS[3]})[state]
if not container then
  return {-1, state}
end
if not redis.call('ZSCORE', container, ARGV[1]) then
  return {-2, state}
end
redis.call('ZADD', container, ARGV[2], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
note_due(KEYS[4], ARGV[1], ARGV[3])
keep_due(KEYS[4])
return {1, state}
