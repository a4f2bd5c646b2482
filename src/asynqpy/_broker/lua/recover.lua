-- Put tasks that were lost with their worker in front of the pending list, or archive them.
-- asynq's recoverer spends a retry instead; see "Leases" in the documentation of the concepts.
-- KEYS  active lease pending archived processed processed_today failed failed_today
-- ARGV  task_prefix expire_at now_nanoseconds now_seconds cutoff_seconds limit *( id lease_score archive message crashes attempt )
-- A task moves only if its lease is still the one that was judged. An empty message keeps the stored one.
-- Returns the ids moved.
-- include count
-- include trim_archive
-- include remember
local moved, archived = {}, 0
for at = 7, #ARGV, 6 do
  local id, score, archive, message = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local key = ARGV[1] .. id
  if redis.call('ZSCORE', KEYS[2], id) == score then
    redis.call('ZREM', KEYS[2], id)
    if redis.call('LREM', KEYS[1], 0, id) == 0 then
      -- A lease whose task is not active is only cleared away.
    elseif redis.call('HEXISTS', key, 'msg') == 0 then
      redis.call('DEL', key) -- an id without a task: what is left of its hash would block the id for ever
    else
      redis.call('HDEL', key, 'py:claim', 'py:begun')
      redis.call('HSET', key, 'py:crashes', ARGV[at + 4])
      remember(key, ARGV[at + 5])
      if archive == '1' then
        redis.call('ZADD', KEYS[4], ARGV[4], id)
        redis.call('HSET', key, 'state', 'archived')
        archived = archived + 1
      else
        redis.call('RPUSH', KEYS[3], id)
        redis.call('HDEL', key, 'py:progress', 'py:progress_text', 'py:progress_at')
        redis.call('HSET', key, 'state', 'pending', 'pending_since', ARGV[3])
      end
      if message ~= '' then
        redis.call('HSET', key, 'msg', message)
      end
      moved[#moved + 1] = id
    end
  end
end
if archived > 0 then
  trim_archive(KEYS[4], ARGV[1], ARGV[5], tonumber(ARGV[6]))
  count({KEYS[5], KEYS[6], KEYS[7], KEYS[8]}, archived, archived, ARGV[2])
end
return moved
