-- Put new tasks on their pending list.                                   asynq: enqueueCmd
-- KEYS  pending
-- ARGV  task_prefix now_nanoseconds *( id message )
-- Returns a code a task: 1 done, 0 id taken, 2 id taken by this very message.
-- include reserve
local task_prefix, now = ARGV[1], ARGV[2]
local codes, added = {}, {}
for at = 3, #ARGV, 2 do
  local id, message = ARGV[at], ARGV[at + 1]
  local key = task_prefix .. id
  local code = taken(key, message)
  if not code then
    code = 1
    call('HSET', key, 'msg', message, 'state', 'pending', 'pending_since', now)
    added[#added + 1] = id
  end
  codes[#codes + 1] = code
end
if #added > 0 then
  call('LPUSH', KEYS[1], unpack(added))
end
return codes
