-- Extend the leases of running tasks.                                    asynq: ZADD XX in ExtendLease
-- A claim that was overrun by another is reported and left alone.
-- KEYS  lease
-- ARGV  task_prefix lease_milliseconds *( id token )
-- Returns the ids whose claim is lost.
-- include rows
local tasks = rows(3, 2)
local ids, lost, leases = {}, {}, {}
for i, task in ipairs(tasks) do
  ids[i] = task[1]
end
if #ids == 0 then
  return lost
end
local time = redis.call('TIME')
local ends = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[2])
if ends % 1000 == 0 then
  ends = ends + 1
end
local score = string.format('%.3f', ends / 1000)
local present = redis.call('ZMSCORE', KEYS[1], unpack(ids))
for i, task in ipairs(tasks) do
  if present[i] and tonumber(present[i]) % 1 ~= 0 and redis.call('HGET', ARGV[1] .. task[1], 'py:claim') == task[2] then
    leases[#leases + 1] = score
    leases[#leases + 1] = task[1]
  else
    lost[#lost + 1] = task[1]
  end
end
if #leases > 0 then
  redis.call('ZADD', KEYS[1], 'XX', unpack(leases))
end
return lost
