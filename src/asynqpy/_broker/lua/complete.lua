-- Keep tasks that succeeded, with their results.                         asynq: markAsCompleteCmd, markAsCompleteUniqueCmd
-- KEYS  active lease completed processed processed_today
-- ARGV  task_prefix expire_at *( id token message delete_at lock_key has_result result )
-- Returns the ids refused: no longer held by their claim.
-- include release
-- include count
local held, refused = release(KEYS[1], KEYS[2], ARGV[1], 3, 7)
for i = 1, #held do
  local at = held[i]
  local id = ARGV[at]
  local key = ARGV[1] .. id
  call('ZADD', KEYS[3], ARGV[at + 3], id)
  call('HSET', key, 'msg', ARGV[at + 2], 'state', 'completed')
  if ARGV[at + 5] == '1' then
    call('HSET', key, 'result', ARGV[at + 6])
  end
  call('HDEL', key, 'py:claim', 'py:begun', 'py:traceback', 'py:released')
  unlock(ARGV[at + 4], id)
end
count({KEYS[4], KEYS[5]}, #held, 0, ARGV[2])
return refused
