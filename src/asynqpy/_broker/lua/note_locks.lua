-- Write the lock keys of unique tasks to their hashes: asynq's addToGroupUniqueCmd leaves them out, so nobody who deletes
-- such a task could release its lock.
-- KEYS  set
-- ARGV  task_prefix *( id lock_key )
-- Returns nothing.
for at = 2, #ARGV, 2 do
  local key = ARGV[1] .. ARGV[at]
  if redis.call('ZSCORE', KEYS[1], ARGV[at]) and redis.call('EXISTS', key) == 1 then
    redis.call('HSET', key, 'unique_key', ARGV[at + 1])
  end
end
