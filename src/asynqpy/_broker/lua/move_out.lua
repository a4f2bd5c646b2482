-- Take waiting tasks out of their place, and park them in the archive until another queue has them.
-- Tasks of the archive stay where they are. The archive is not trimmed for guests.
-- KEYS  container archived groups due
-- ARGV  task_prefix group now_seconds *( id message lock_key )
-- Returns of each task a code, 1 done, 0 it is no longer there or has changed, and the milliseconds that its lock still
-- holds: -1 for ever, 0 when it has none.
local call = redis.call
local prefix, group, is_archive = ARGV[1], ARGV[2], KEYS[1] == KEYS[2]
local kind = call('TYPE', KEYS[1]).ok
local found = {}
for at = 4, #ARGV, 3 do
  local id, message, lock_key = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local key, code, lock = prefix .. id, 0, 0
  if call('HGET', key, 'msg') == message then
    if is_archive then
      code = call('ZSCORE', KEYS[1], id) and 1 or 0
    elseif kind == 'list' then
      code = call('LREM', KEYS[1], -1, id)
    else
      code = call('ZREM', KEYS[1], id)
    end
  end
  if code == 1 then
    if not is_archive then
      call('ZREM', KEYS[4], id)
      call('ZADD', KEYS[2], ARGV[3], id)
      call('HSET', key, 'state', 'archived')
    end
    if lock_key ~= '' and call('GET', lock_key) == id then
      lock = call('PTTL', lock_key)
    end
  end
  found[#found + 1] = code
  found[#found + 1] = lock
end
if group ~= '' and call('EXISTS', KEYS[1]) == 0 then
  call('SREM', KEYS[3], group)
end
return found
