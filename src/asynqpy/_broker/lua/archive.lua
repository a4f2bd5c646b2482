-- Archive tasks that failed for good.                                    asynq: archiveCmd
-- KEYS  active lease archived processed processed_today failed failed_today
-- ARGV  task_prefix expire_at now_seconds cutoff_seconds limit *( id token message traceback attempt )
-- Returns the ids refused: no longer held by their claim.
-- include release
-- include count
-- include trim_archive
-- include remember
local held, refused = release(KEYS[1], KEYS[2], ARGV[1], 6, 5)
for i = 1, #held do
  local at = held[i]
  local id = ARGV[at]
  local key = ARGV[1] .. id
  call('ZADD', KEYS[3], ARGV[3], id)
  call('HSET', key, 'msg', ARGV[at + 2], 'state', 'archived')
  call('HDEL', key, 'py:claim', 'py:begun', 'py:released')
  if ARGV[at + 3] ~= '' then
    call('HSET', key, 'py:traceback', ARGV[at + 3])
  end
  remember(key, ARGV[at + 4])
end
if #held > 0 then
  trim_archive(KEYS[3], ARGV[1], ARGV[4], tonumber(ARGV[5]))
  count({KEYS[4], KEYS[5], KEYS[6], KEYS[7]}, #held, #held, ARGV[2])
end
return refused
