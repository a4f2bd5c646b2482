-- Take up to `count` pending tasks, oldest first.                        asynq: dequeueCmd
-- An id without a message is dropped: asynq would keep it in `active` for ever.
-- KEYS  pending active lease paused
-- ARGV  task_prefix token lease_milliseconds count
-- Returns -1 when the queue is paused, else a flat list of each task: id, message, pending_since (empty when unknown),
-- crashes (empty when none).
-- include lease_end
local call = redis.call
local LONG_MEMBER = string.rep('\255', 65) -- never an id: those are UTF-8
local task_prefix, token = ARGV[1], ARGV[2]
if call('EXISTS', KEYS[4]) == 1 then
  return -1
end
local ids = call('RPOP', KEYS[1], ARGV[4])
if not ids then
  return {}
end
local score = lease_end(ARGV[3])
local claimed, claims, leases = {}, {}, {}
local found, held = 0, 0
for at = 1, #ids do
  local id = ids[at]
  local key = task_prefix .. id
  local fields = call('HMGET', key, 'msg', 'pending_since', 'py:crashes')
  if fields[1] then
    call('HSET', key, 'state', 'active', 'py:claim', token)
    if fields[2] then
      call('HDEL', key, 'pending_since')
    end
    held = held + 1
    claims[held] = id
    leases[2 * held - 1] = score
    leases[2 * held] = id
    claimed[found + 1] = id
    claimed[found + 2] = fields[1]
    claimed[found + 3] = fields[2] or ''
    claimed[found + 4] = fields[3] or ''
    found = found + 4
  else
    call('DEL', key)
  end
end
if held > 0 then
  call('LPUSH', KEYS[2], unpack(claims))
  if held >= 5 then
    -- A small set is stored as a flat list, which makes adding many members quadratic (400 microseconds for 50). A
    -- member that is too long for that form turns it into a skip list; nobody sees it before it is gone.
    call('ZADD', KEYS[3], 0, LONG_MEMBER, unpack(leases))
    call('ZREM', KEYS[3], LONG_MEMBER)
  else
    call('ZADD', KEYS[3], unpack(leases))
  end
end
return claimed
