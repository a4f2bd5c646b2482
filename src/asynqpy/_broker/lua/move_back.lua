-- Put tasks back that were parked in the archive, because the other queue could not take them.
-- A pending task comes to the front: it was among the next to run.
-- KEYS  container archived groups due
-- ARGV  task_prefix state group *( id message score due_milliseconds )
-- Returns a code a task: 1 done, 0 it is no longer there or has changed.
-- include note_due
local call = redis.call
local prefix, state, group = ARGV[1], ARGV[2], ARGV[3]
local codes = {}
for at = 4, #ARGV, 4 do
  local id = ARGV[at]
  local key = prefix .. id
  local is_there = call('HGET', key, 'msg') == ARGV[at + 1] and call('ZREM', KEYS[2], id) == 1
  if is_there then
    call('HSET', key, 'state', state)
    if group ~= '' then
      call('SADD', KEYS[3], group)
    end
    if state == 'pending' then
      call('RPUSH', KEYS[1], id)
    else
      call('ZADD', KEYS[1], ARGV[at + 2], id)
      note_due(KEYS[4], id, ARGV[at + 3])
    end
  end
  codes[#codes + 1] = is_there and 1 or 0
end
keep_due(KEYS[4])
return codes
