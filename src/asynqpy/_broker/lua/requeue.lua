-- Put running tasks back, to be served next.                             asynq: requeueCmd
-- KEYS  active lease pending
-- ARGV  task_prefix *( id token )
-- Returns the ids refused: no longer held by their claim.
-- include release
local held, refused = release(KEYS[1], KEYS[2], ARGV[1], 2, 2)
for i = 1, #held do
  local id = ARGV[held[i]]
  local key = ARGV[1] .. id
  call('RPUSH', KEYS[3], id)
  call('HSET', key, 'state', 'pending')
  call('HDEL', key, 'py:claim', 'py:begun', 'py:progress', 'py:progress_text', 'py:progress_at')
end
return refused
