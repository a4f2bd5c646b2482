-- List the groups again that have tasks: asynq forgets to, when it reclaims a set and when a grouped task falls due.
-- KEYS  groups
-- ARGV  group_prefix *( group )
-- Returns the names that were missing.
local missing = {}
for at = 2, #ARGV, 1 do
  if redis.call('EXISTS', ARGV[1] .. ARGV[at]) == 1 and redis.call('SADD', KEYS[1], ARGV[at]) == 1 then
    missing[#missing + 1] = ARGV[at]
  end
end
return missing
