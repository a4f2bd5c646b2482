-- Included by the scripts that delete tasks: deletes their hashes, and the uniqueness locks that they hold.
-- A task that Go put into a group has its lock in the message alone. Needs `message_text`.
local function forget(task_prefix, lock_prefix, ids)
  local hashes = {}
  for i, id in ipairs(ids) do
    local key = task_prefix .. id
    local fields = redis.call('HMGET', key, 'unique_key', 'group')
    local lock_key = fields[1]
    if not lock_key and fields[2] then
      lock_key = message_text(redis.call('HGET', key, 'msg') or '', UNIQUE_KEY)
    end
    -- Only a lock of this queue: any other would be in another slot of a cluster.
    if lock_key and string.sub(lock_key, 1, #lock_prefix) == lock_prefix and redis.call('GET', lock_key) == id then
      redis.call('DEL', lock_key)
    end
    hashes[i] = key
  end
  return #hashes > 0 and redis.call('UNLINK', unpack(hashes)) or 0
end
