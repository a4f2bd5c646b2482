-- Archive the next few tasks of a list or set.                           asynq: archiveAllCmd, archiveAllPendingCmd
-- An id without a task is dropped.
-- KEYS  container archived groups due
-- ARGV  task_prefix group now_seconds cutoff_seconds archive_limit lowest highest limit
-- Returns how many were archived, how many were looked at, and the score of the last.
-- include take
-- include trim_archive
local ids, score = take(KEYS[1], ARGV[6], ARGV[7], ARGV[8])
local entries = {}
for _, id in ipairs(ids) do
  local key = ARGV[1] .. id
  if redis.call('HEXISTS', key, 'msg') == 1 then
    redis.call('HSET', key, 'state', 'archived')
    redis.call('HDEL', key, 'pending_since')
    entries[#entries + 1] = ARGV[3]
    entries[#entries + 1] = id
  else
    redis.call('DEL', key)
  end
end
if #ids > 0 then
  redis.call('ZREM', KEYS[4], unpack(ids))
end
if #entries > 0 then
  redis.call('ZADD', KEYS[2], unpack(entries))
  trim_archive(KEYS[2], ARGV[1], ARGV[4], tonumber(ARGV[5]))
end
forget_empty_group(KEYS[3], ARGV[2], KEYS[1])
return {#entries / 2, #ids, score}
