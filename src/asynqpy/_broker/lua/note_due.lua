-- Included by the scripts that make tasks wait: remembers due moments finer than the whole seconds of the wire.
-- The index ends by itself an hour after its last moment, so it never outlives its use where no Python server runs.
local due_noted = false

local function note_due(due_key, id, due_milliseconds)
  if due_milliseconds ~= '' then
    redis.call('ZADD', due_key, due_milliseconds, id)
    due_noted = true
  end
end

local function keep_due(due_key)
  if due_noted then
    local last = redis.call('ZRANGE', due_key, -1, -1, 'WITHSCORES')[2]
    redis.call('PEXPIREAT', due_key, string.format('%.0f', last + 3600000))
  end
end
