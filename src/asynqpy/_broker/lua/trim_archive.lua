-- Included by the scripts that archive: bounds the archive by age and size, oldest first, in pieces that unpack() takes.
local TRIM_PIECE, TRIM_PIECES = 500, 20

local function drop_archived(archived_key, task_prefix, ids)
  local hashes = {}
  for i, id in ipairs(ids) do
    hashes[i] = task_prefix .. id
    local lock_key = redis.call('HGET', hashes[i], 'unique_key')
    if lock_key and redis.call('GET', lock_key) == id then
      redis.call('DEL', lock_key)
    end
  end
  redis.call('DEL', unpack(hashes))
  redis.call('ZREM', archived_key, unpack(ids))
end

-- A long backlog shrinks over several calls, so that no call blocks the server for long.
local function trim_archive(archived_key, task_prefix, cutoff, limit)
  for _ = 1, TRIM_PIECES do
    local old = redis.call('ZRANGEBYSCORE', archived_key, '-inf', cutoff, 'LIMIT', 0, TRIM_PIECE)
    if #old == 0 then
      local over = redis.call('ZCARD', archived_key) - limit
      if over <= 0 then
        return
      end
      old = redis.call('ZRANGE', archived_key, 0, math.min(over, TRIM_PIECE) - 1)
    end
    drop_archived(archived_key, task_prefix, old)
  end
end
