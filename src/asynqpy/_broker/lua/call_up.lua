-- Let scheduled tasks run now, ahead of the others: they have been given a permit to run.  asynq: runTaskCmd, pushed right
-- KEYS  scheduled due pending paused
-- ARGV  task_prefix now_nanoseconds *( id )
-- Returns the ids that will not come: deleted, ended, or of a paused queue.
local absent = {}
local is_paused = redis.call('EXISTS', KEYS[4]) == 1
for at = 3, #ARGV, 1 do
  local id = ARGV[at]
  local key = ARGV[1] .. id
  local state = redis.call('HGET', key, 'state')
  if is_paused then
    absent[#absent + 1] = id
  elseif state == 'scheduled' and redis.call('ZREM', KEYS[1], id) == 1 then
    redis.call('ZREM', KEYS[2], id)
    redis.call('HSET', key, 'state', 'pending', 'pending_since', ARGV[2])
    redis.call('RPUSH', KEYS[3], id)
  elseif state ~= 'pending' and state ~= 'active' then
    absent[#absent + 1] = id
  end
end
return absent
