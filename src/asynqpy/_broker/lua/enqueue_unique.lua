-- Put new unique tasks on their pending list.                            asynq: enqueueUniqueCmd
-- KEYS  pending
-- ARGV  task_prefix now_nanoseconds *( id message lock_key lock_seconds )
-- Returns a code a task: 1 done, 0 id taken, 2 id taken by this very message, -1 duplicate of a unique task, -2 of
-- this very message.
-- include reserve
local codes = {}
for at = 3, #ARGV, 4 do
  local id, message = ARGV[at], ARGV[at + 1]
  local key = ARGV[1] .. id
  local code = reserve(key, id, message, ARGV[at + 2], ARGV[at + 3])
  if code == 1 then
    call('HSET', key, 'msg', message, 'state', 'pending', 'pending_since', ARGV[2])
    call('LPUSH', KEYS[1], id)
  end
  codes[#codes + 1] = code
end
return codes
