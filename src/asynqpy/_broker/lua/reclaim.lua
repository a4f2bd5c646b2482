-- Put the tasks of an aggregation set back into their group: of the set that is named, else of the one whose deadline
-- passed first.                                                          asynq: reclaimStateAggregationSetsCmd
-- The group is listed again, which asynq forgets.
-- KEYS  aggregation_sets groups
-- ARGV  group_prefix set limit
-- Returns the number moved, and the milliseconds until the next deadline (-1: no set, 0: call again).
-- include group_rules
local time = redis.call('TIME')
local group_prefix, set, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])

local function next_deadline()
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  if not first[1] then
    return -1, nil
  end
  return math.max(0, tonumber(first[2]) * 1000 - tonumber(time[1]) * 1000 - math.floor(tonumber(time[2]) / 1000)), first[1]
end

if set == '' then
  local wait, first = next_deadline()
  if wait ~= 0 then
    return {0, wait}
  end
  set = first
elseif not redis.call('ZSCORE', KEYS[1], set) then
  return {0, (next_deadline())}
end

local group = string.match(set, '^(.*):[^:]*$')
local moved = 0
if group and string.sub(group, 1, #group_prefix) == group_prefix then
  moved = math.min(limit, redis.call('ZCARD', set))
  move(set, group, moved)
  if moved > 0 then
    redis.call('SADD', KEYS[2], string.sub(group, #group_prefix + 1))
  end
end
if redis.call('EXISTS', set) == 1 and moved > 0 then
  return {moved, 0}
end
redis.call('ZREM', KEYS[1], set)
return {moved, (next_deadline())}
