-- Put new tasks into their groups.                                       asynq: addToGroupCmd, addToGroupUniqueCmd
-- KEYS  groups
-- ARGV  task_prefix group_prefix now_seconds *( id message lock_key lock_seconds group )
-- Returns a code a task: 1 done, 0 id taken, 2 id taken by this very message, -1 duplicate of a unique task, -2 of
-- this very message.
-- include reserve
local codes = {}
for at = 4, #ARGV, 5 do
  local id, message, group = ARGV[at], ARGV[at + 1], ARGV[at + 4]
  local key = ARGV[1] .. id
  local code = reserve(key, id, message, ARGV[at + 2], ARGV[at + 3])
  if code == 1 then
    call('HSET', key, 'msg', message, 'state', 'aggregating', 'group', group)
    call('ZADD', ARGV[2] .. group, ARGV[3], id)
    call('SADD', KEYS[1], group)
  end
  codes[#codes + 1] = code
end
return codes
