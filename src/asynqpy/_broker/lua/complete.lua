-- Keep tasks that succeeded, with their results.                         asynq: markAsCompleteCmd, markAsCompleteUniqueCmd
-- KEYS  active lease completed processed processed_today
-- ARGV  task_prefix expire_at *( id token message delete_at lock_key has_result result )
-- Returns the ids refused: no longer held by their claim.
-- include rows
-- include release
-- include count
local held, refused = release(KEYS[1], KEYS[2], ARGV[1], rows(3, 7))
for _, task in ipairs(held) do
  local id, _, message, delete_at, lock_key, has_result, result = unpack(task)
  local key = ARGV[1] .. id
  redis.call('ZADD', KEYS[3], delete_at, id)
  redis.call('HSET', key, 'msg', message, 'state', 'completed')
  if has_result == '1' then
    redis.call('HSET', key, 'result', result)
  end
  redis.call('HDEL', key, 'py:claim', 'py:traceback')
  unlock(lock_key, id)
end
count({KEYS[4], KEYS[5]}, #held, 0, ARGV[2])
return refused
