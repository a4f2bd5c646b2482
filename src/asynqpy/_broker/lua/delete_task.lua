-- Delete one task that is not running, and its lock.                     asynq: deleteTaskCmd
-- KEYS  task pending scheduled retry archived completed groups due
-- ARGV  id task_prefix group_prefix lock_prefix
-- Returns a code and the state: 1 done, 0 no such task, -1 its state does not allow it, -2 it is not where its state
-- says.
-- include detach
-- include message_text
-- include forget
if redis.call('HEXISTS', KEYS[1], 'msg') == 0 then
  return {0, ''}
end
local fields = redis.call('HMGET', KEYS[1], 'state', 'group')
local state = fields[1] or ''
local containers = {
  pending = KEYS[2], scheduled = KEYS[3], retry = KEYS[4], archived = KEYS[5], completed = KEYS[6],
}
if state ~= 'aggregating' and not containers[state] then
  return {-1, state}
end
local code = detach(containers, KEYS[7], ARGV[3], ARGV[1], state, fields[2])
if code == 1 then
  redis.call('ZREM', KEYS[8], ARGV[1])
  forget(ARGV[2], ARGV[4], {ARGV[1]})
end
return {code, state}
