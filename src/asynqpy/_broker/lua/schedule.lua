-- Put new tasks on the scheduled set.                                    asynq: scheduleCmd, scheduleUniqueCmd
-- A group is written to the hash too, so that the task joins its group when due; asynq loses it here.
-- KEYS  scheduled due
-- ARGV  task_prefix *( id message lock_key lock_seconds score due_milliseconds group )
-- Returns a code a task: 1 done, 0 id taken, 2 id taken by this very message, -1 duplicate of a unique task.
-- include rows
-- include reserve
-- include note_due
local task_prefix = ARGV[1]
local codes = {}
for i, task in ipairs(rows(2, 7)) do
  local id, message, lock_key, lock_seconds, score, due_milliseconds, group = unpack(task)
  local key = task_prefix .. id
  codes[i] = reserve(key, id, message, lock_key, lock_seconds)
  if codes[i] == 1 then
    redis.call('HSET', key, 'msg', message, 'state', 'scheduled')
    if group ~= '' then
      redis.call('HSET', key, 'group', group)
    end
    redis.call('ZADD', KEYS[1], score, id)
    note_due(KEYS[2], id, due_milliseconds)
  end
end
return codes
