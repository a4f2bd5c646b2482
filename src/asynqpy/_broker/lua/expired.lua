-- Read the tasks whose lease has ended by Redis' own clock.              asynq: listLeaseExpiredCmd
-- Leases of Go servers come from their own clocks and get the allowance that asynq gives them.
-- KEYS  lease
-- ARGV  task_prefix go_allowance_milliseconds limit
-- Returns a flat list of each task: id, message (empty when there is none), lease score, crashes, whether its last
-- attempt was begun (unknown, so assumed, when a Go server made the lease).
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local allowance = tonumber(ARGV[2]) / 1000
local found = {}
local leases = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.3f', now), 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for at = 1, #leases, 2 do
  local id, ends = leases[at], tonumber(leases[at + 1])
  if ends % 1 ~= 0 or ends + allowance <= now then
    local fields = redis.call('HMGET', ARGV[1] .. id, 'msg', 'py:crashes', 'py:claim', 'py:begun')
    found[#found + 1] = id
    found[#found + 1] = fields[1] or ''
    found[#found + 1] = leases[at + 1]
    found[#found + 1] = fields[2] or '0'
    found[#found + 1] = (ends % 1 == 0 or (fields[4] and fields[4] == fields[3])) and 1 or 0
  end
end
return found
