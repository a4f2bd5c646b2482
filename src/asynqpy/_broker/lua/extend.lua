-- Extend the leases of running tasks.                                    asynq: ZADD XX in ExtendLease
-- A claim that was overrun by another is reported and left alone.
-- KEYS  lease
-- ARGV  task_prefix lease_milliseconds *( id token )
-- Returns the ids whose claim is lost.
-- include lease_end
local ids, lost, leases = {}, {}, {}
for at = 3, #ARGV, 2 do
  ids[#ids + 1] = ARGV[at]
end
if #ids == 0 then
  return lost
end
local score = lease_end(ARGV[2])
local present = redis.call('ZMSCORE', KEYS[1], unpack(ids))
for i, id in ipairs(ids) do
  local is_ours = present[i] and present[i] % 1 ~= 0
  if is_ours and redis.call('HGET', ARGV[1] .. id, 'py:claim') == ARGV[2 * i + 2] then
    leases[#leases + 1] = score
    leases[#leases + 1] = id
  else
    lost[#lost + 1] = id
  end
end
if #leases > 0 then
  -- A server that is out of memory refuses scripts that begin with a write that needs some. This one needs none, and
  -- what comes after the first write is allowed: running tasks must keep their leases.
  redis.call('ZREM', KEYS[1], '')
  redis.call('ZADD', KEYS[1], 'XX', unpack(leases))
end
return lost
