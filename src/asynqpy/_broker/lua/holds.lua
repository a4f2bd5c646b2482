-- Included by the scripts that look for what is broken: whether the place that a state names holds an id.
-- places: the key of the container of each state but aggregating. Tasks of a group may be in an aggregation set, too:
-- one that is listed, or one that was aggregated and whose tasks are still to be deleted.
local function holds(places, listings, group_prefix, id, state, group)
  local key = places[state]
  if state == 'pending' or state == 'active' then
    return redis.call('LPOS', key, id) ~= false
  elseif key then
    return redis.call('ZSCORE', key, id) ~= false
  elseif state ~= 'aggregating' or not group then
    return false
  elseif redis.call('ZSCORE', group_prefix .. group, id) then
    return true
  end
  for _, listing in ipairs(listings) do
    for _, set in ipairs(redis.call('ZRANGE', listing, 0, -1)) do
      if redis.call('ZSCORE', set, id) then
        return true
      end
    end
  end
  return false
end
