-- Archive one waiting task.                                              asynq: archiveTaskCmd
-- KEYS  task pending scheduled retry archived completed groups due
-- ARGV  id task_prefix group_prefix now_seconds cutoff_seconds archive_limit
-- Returns a code and the state: 1 done, 0 no such task, -1 its state does not allow it, -2 it is not where its state
-- says.
-- include detach
-- include trim_archive
local fields = redis.call('HMGET', KEYS[1], 'msg', 'state', 'group')
local state = fields[2] or ''
if not fields[1] then
  return {0, ''}
end
local containers = {pending = KEYS[2], scheduled = KEYS[3], retry = KEYS[4], completed = KEYS[6]}
if state ~= 'aggregating' and not containers[state] then
  return {-1, state}
end
local code = detach(containers, KEYS[7], ARGV[3], ARGV[1], state, fields[3])
if code == 1 then
  redis.call('ZREM', KEYS[8], ARGV[1])
  redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
  redis.call('HSET', KEYS[1], 'state', 'archived')
  redis.call('HDEL', KEYS[1], 'pending_since')
  trim_archive(KEYS[5], ARGV[2], ARGV[5], tonumber(ARGV[6]))
end
return {code, state}
