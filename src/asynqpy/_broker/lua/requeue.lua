-- Put running tasks back, to be served next.                             asynq: requeueCmd
-- KEYS  active lease pending
-- ARGV  task_prefix *( id token )
-- Returns the ids refused: no longer held by their claim.
-- include rows
-- include release
local held, refused = release(KEYS[1], KEYS[2], ARGV[1], rows(2, 2))
for _, task in ipairs(held) do
  local key = ARGV[1] .. task[1]
  redis.call('RPUSH', KEYS[3], task[1])
  redis.call('HSET', key, 'state', 'pending')
  redis.call('HDEL', key, 'py:claim')
end
return refused
