-- Put new tasks on their pending list.                                   asynq: enqueueCmd, enqueueUniqueCmd
-- KEYS  pending
-- ARGV  task_prefix now_nanoseconds *( id message lock_key lock_seconds )
-- Returns a code a task: 1 done, 0 id taken, 2 id taken by this very message, -1 duplicate of a unique task.
-- include reserve
local task_prefix, now = ARGV[1], ARGV[2]
local codes, added = {}, {}
for at = 3, #ARGV, 4 do
  local id, message = ARGV[at], ARGV[at + 1]
  local key = task_prefix .. id
  local code = reserve(key, id, message, ARGV[at + 2], ARGV[at + 3])
  if code == 1 then
    redis.call('HSET', key, 'msg', message, 'state', 'pending', 'pending_since', now)
    added[#added + 1] = id
  end
  codes[#codes + 1] = code
end
if #added > 0 then
  redis.call('LPUSH', KEYS[1], unpack(added))
end
return codes
