-- Delete tasks that were parked in the archive, now that another queue has them.
-- KEYS  archived
-- ARGV  task_prefix lock_prefix *( id message )
-- Returns a code a task: 1 done, 0 it is no longer there or has changed.
-- include message_text
-- include forget
local codes, gone = {}, {}
for at = 3, #ARGV, 2 do
  local id = ARGV[at]
  local is_there = redis.call('HGET', ARGV[1] .. id, 'msg') == ARGV[at + 1] and redis.call('ZREM', KEYS[1], id) == 1
  codes[#codes + 1] = is_there and 1 or 0
  if is_there then
    gone[#gone + 1] = id
  end
end
forget(ARGV[1], ARGV[2], gone)
return codes
