-- Included by the scripts that delete what was aggregated: the oldest tasks of a set, and the locks that they hold.
-- Returns the number left in the set.
local function delete_parts(set_key, task_prefix, limit)
  local hashes = {}
  local ids = redis.call('ZRANGE', set_key, 0, limit - 1)
  for _, id in ipairs(ids) do
    local key = task_prefix .. id
    local fields = redis.call('HMGET', key, 'state', 'unique_key')
    if fields[1] == 'aggregating' then -- else the id has become that of another task
      hashes[#hashes + 1] = key
      if fields[2] and redis.call('GET', fields[2]) == id then
        redis.call('DEL', fields[2])
      end
    end
  end
  if #hashes > 0 then
    redis.call('DEL', unpack(hashes))
  end
  redis.call('ZREMRANGEBYRANK', set_key, 0, #ids - 1)
  return redis.call('ZCARD', set_key)
end
