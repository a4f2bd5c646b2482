-- Put new tasks into their groups.                                       asynq: addToGroupCmd, addToGroupUniqueCmd
-- KEYS  groups
-- ARGV  task_prefix group_prefix now_seconds *( id message lock_key lock_seconds group )
-- Returns a code a task: 1 done, 0 id taken, 2 id taken by this very message, -1 duplicate of a unique task.
-- include rows
-- include reserve
local task_prefix, group_prefix, now = ARGV[1], ARGV[2], ARGV[3]
local codes = {}
for i, task in ipairs(rows(4, 5)) do
  local id, message, lock_key, lock_seconds, group = unpack(task)
  local key = task_prefix .. id
  codes[i] = reserve(key, id, message, lock_key, lock_seconds)
  if codes[i] == 1 then
    redis.call('HSET', key, 'msg', message, 'state', 'aggregating', 'group', group)
    redis.call('ZADD', group_prefix .. group, now, id)
    redis.call('SADD', KEYS[1], group)
  end
end
return codes
