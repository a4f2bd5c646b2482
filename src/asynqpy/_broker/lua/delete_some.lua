-- Delete the next few tasks of a list or set, and their locks.           asynq: deleteAllCmd, deleteAllPendingCmd
-- KEYS  container groups due
-- ARGV  task_prefix lock_prefix group lowest highest limit
-- Returns how many were deleted, how many were looked at, and the score of the last.
-- include take
-- include message_text
-- include forget
local ids, score = take(KEYS[1], ARGV[4], ARGV[5], ARGV[6])
local deleted = forget(ARGV[1], ARGV[2], ids)
if #ids > 0 then
  redis.call('ZREM', KEYS[3], unpack(ids))
end
forget_empty_group(KEYS[2], ARGV[3], KEYS[1])
return {deleted, #ids, score}
