-- Included by the scripts that act on one task: takes it out of the container that its state names.
-- containers: the key of the container of each state but aggregating.
-- Returns 1, or -2 when it is not there: its group is just being aggregated, or something is broken.
local function detach(containers, groups_key, group_prefix, id, state, group)
  local removed
  if state == 'pending' then
    removed = redis.call('LREM', containers[state], 1, id)
  elseif state == 'aggregating' then
    local key = group_prefix .. (group or '')
    removed = redis.call('ZREM', key, id)
    if removed == 1 and redis.call('EXISTS', key) == 0 then
      redis.call('SREM', groups_key, group)
    end
  else
    removed = redis.call('ZREM', containers[state], id)
  end
  return removed == 0 and -2 or 1
end
