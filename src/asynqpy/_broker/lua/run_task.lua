-- Make one waiting task pending.                                         asynq: runTaskCmd
-- KEYS  task pending scheduled retry archived completed groups due
-- ARGV  id group_prefix now_nanoseconds
-- Returns a code and the state: 1 done, 0 no such task, -1 its state does not allow it, -2 it is not where its state
-- says.
-- include detach
local fields = redis.call('HMGET', KEYS[1], 'msg', 'state', 'group')
local state = fields[2] or ''
if not fields[1] then
  return {0, ''}
end
local containers = {scheduled = KEYS[3], retry = KEYS[4], archived = KEYS[5], completed = KEYS[6]}
if state ~= 'aggregating' and not containers[state] then
  return {-1, state}
end
local code = detach(containers, KEYS[7], ARGV[2], ARGV[1], state, fields[3])
if code == 1 then
  redis.call('ZREM', KEYS[8], ARGV[1])
  redis.call('LPUSH', KEYS[2], ARGV[1])
  redis.call('HSET', KEYS[1], 'state', 'pending', 'pending_since', ARGV[3])
end
return {code, state}
