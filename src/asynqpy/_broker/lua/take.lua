-- Included by the scripts that act on all tasks of a list or set: takes the next few out, those first that run first.
-- From a sorted set only those between two scores. Returns their ids, and the score of the last.
local function take(container, lowest, highest, limit)
  if redis.call('TYPE', container).ok == 'list' then
    return redis.call('RPOP', container, limit) or {}, ''
  end
  local members = redis.call('ZRANGEBYSCORE', container, lowest, highest, 'WITHSCORES', 'LIMIT', 0, limit)
  local ids = {}
  for at = 1, #members, 2 do
    ids[#ids + 1] = members[at]
  end
  if #ids > 0 then
    redis.call('ZREM', container, unpack(ids))
  end
  return ids, members[#members] or ''
end

local function forget_empty_group(groups_key, group, container)
  if group ~= '' and redis.call('EXISTS', container) == 0 then
    redis.call('SREM', groups_key, group)
  end
end
