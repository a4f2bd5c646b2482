-- Put new tasks on the scheduled set.                                    asynq: scheduleCmd, scheduleUniqueCmd
-- A group is written to the hash too, so that the task joins its group when due; asynq loses it here.
-- KEYS  scheduled due
-- ARGV  task_prefix *( id message lock_key lock_seconds score due_milliseconds group )
-- Returns a code a task: 1 done, 0 id taken, 2 id taken by this very message, -1 duplicate of a unique task, -2 of
-- this very message.
-- include reserve
-- include note_due
local codes = {}
for at = 2, #ARGV, 7 do
  local id, message, group = ARGV[at], ARGV[at + 1], ARGV[at + 6]
  local key = ARGV[1] .. id
  local code = reserve(key, id, message, ARGV[at + 2], ARGV[at + 3])
  if code == 1 then
    call('HSET', key, 'msg', message, 'state', 'scheduled')
    if group ~= '' then
      call('HSET', key, 'group', group)
    end
    call('ZADD', KEYS[1], ARGV[at + 4], id)
    note_due(KEYS[2], id, ARGV[at + 5])
  end
  codes[#codes + 1] = code
end
keep_due(KEYS[2])
return codes
