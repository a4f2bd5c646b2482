-- Make tasks wait for another attempt.                                   asynq: retryCmd
-- Also for tasks that were put off without a failure: then the set is `scheduled` or the failure flag is 0.
-- KEYS  active lease waiting due processed processed_today failed failed_today
-- ARGV  task_prefix state expire_at *( id token message score due_milliseconds is_failure traceback attempt )
-- Returns the ids refused: no longer held by their claim.
-- include release
-- include count
-- include note_due
-- include remember
local held, refused = release(KEYS[1], KEYS[2], ARGV[1], 4, 8)
local failures = 0
for i = 1, #held do
  local at = held[i]
  local id = ARGV[at]
  local key = ARGV[1] .. id
  call('ZADD', KEYS[3], ARGV[at + 3], id)
  note_due(KEYS[4], id, ARGV[at + 4])
  call('HSET', key, 'msg', ARGV[at + 2], 'state', ARGV[2])
  call('HDEL', key, 'py:claim', 'py:begun', 'py:released', 'py:progress', 'py:progress_text', 'py:progress_at')
  if ARGV[at + 6] ~= '' then
    call('HSET', key, 'py:traceback', ARGV[at + 6])
  end
  remember(key, ARGV[at + 7])
  failures = failures + ARGV[at + 5]
end
keep_due(KEYS[4])
count({KEYS[5], KEYS[6], KEYS[7], KEYS[8]}, failures, failures, ARGV[3])
return refused
