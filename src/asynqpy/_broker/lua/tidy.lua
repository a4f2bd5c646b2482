-- Delete what belongs to tasks of a queue, where none of these tasks is left.
-- KEYS  pending active lease scheduled retry archived completed groups aggregation_sets due
-- Returns 1 while the queue still holds tasks, else 0.
local exists = function(...)
  return redis.call('EXISTS', ...) > 0
end
if not exists(KEYS[2]) then
  redis.call('DEL', KEYS[3])
end
if not exists(KEYS[4], KEYS[5]) then
  redis.call('DEL', KEYS[10])
end
return exists(KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]) and 1 or 0
