-- Make tasks wait for another attempt.                                   asynq: retryCmd
-- Also for tasks that were put off without a failure: then the set is `scheduled` or the failure flag is 0.
-- KEYS  active lease waiting due processed processed_today failed failed_today
-- ARGV  task_prefix state expire_at *( id token message score due_milliseconds is_failure traceback )
-- Returns the ids refused: no longer held by their claim.
-- include rows
-- include release
-- include count
-- include note_due
local held, refused = release(KEYS[1], KEYS[2], ARGV[1], rows(4, 7))
local failures = 0
for _, task in ipairs(held) do
  local id, _, message, score, due_milliseconds, is_failure, traceback = unpack(task)
  local key = ARGV[1] .. id
  redis.call('ZADD', KEYS[3], score, id)
  note_due(KEYS[4], id, due_milliseconds)
  redis.call('HSET', key, 'msg', message, 'state', ARGV[2])
  redis.call('HDEL', key, 'py:claim')
  if traceback ~= '' then
    redis.call('HSET', key, 'py:traceback', traceback)
  end
  failures = failures + tonumber(is_failure)
end
count({KEYS[5], KEYS[6], KEYS[7], KEYS[8]}, failures, failures, ARGV[3])
return refused
