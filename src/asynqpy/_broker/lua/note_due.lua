-- Included by the scripts that make tasks wait: remembers a due moment finer than the whole seconds of the wire.
-- The index ends by itself an hour after its last moment, so it never outlives its use where no Python server runs.
local function note_due(due_key, id, due_milliseconds)
  if due_milliseconds == '' then
    return
  end
  redis.call('ZADD', due_key, due_milliseconds, id)
  local last = tonumber(redis.call('ZRANGE', due_key, -1, -1, 'WITHSCORES')[2])
  redis.call('PEXPIREAT', due_key, string.format('%.0f', last + 3600000))
end
