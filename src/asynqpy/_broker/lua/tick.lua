-- Decide one tick of a periodic entry: enqueue its task, once, whichever scheduler comes first.
-- The marker holds the last tick that was decided, longer than its task lives; ticks go forward only. A scheduler that
-- asks again because a reply was lost hears what was decided for it.
-- KEYS  marker pending scheduled groups due
-- ARGV  task_prefix group_prefix tick keep_seconds scheduler_id overlap now_nanoseconds
-- ARGV  state id message lock_key lock_seconds score due_milliseconds group
-- Returns a code: 1 enqueued, 0 id taken, 2 id taken by this very message, -1 duplicate of a unique task, -2 of this
-- very message, -3 decided before, -4 the last run has not ended.
-- include reserve
-- include note_due
local task_prefix, tick, id, message, group = ARGV[1], tonumber(ARGV[3]), ARGV[9], ARGV[10], ARGV[15]
local marker = call('HMGET', KEYS[1], 'tick', 'by', 'code', 'task')
local last = tonumber(marker[1] or '')
if last and tick <= last then
  if tick == last and marker[2] == ARGV[5] then
    return tonumber(marker[3])
  end
  return -3
end

local function still_runs(task_id)
  local state = task_id and call('HGET', task_prefix .. task_id, 'state')
  return state and state ~= 'completed' and state ~= 'archived'
end

local function place(key)
  call('HSET', key, 'msg', message, 'state', ARGV[8])
  if ARGV[8] == 'pending' then
    call('HSET', key, 'pending_since', ARGV[7])
    call('LPUSH', KEYS[2], id)
    return
  end
  if group ~= '' then
    call('HSET', key, 'group', group)
  end
  if ARGV[8] == 'scheduled' then
    call('ZADD', KEYS[3], ARGV[13], id)
    note_due(KEYS[5], id, ARGV[14])
    keep_due(KEYS[5])
  else
    call('ZADD', ARGV[2] .. group, ARGV[13], id)
    call('SADD', KEYS[4], group)
  end
end

local code = -4
if ARGV[6] == '1' or not still_runs(marker[4]) then
  local key = task_prefix .. id
  code = reserve(key, id, message, ARGV[11], ARGV[12])
  if code == 1 then
    place(key)
    call('HSET', KEYS[1], 'task', id)
  end
end
call('HSET', KEYS[1], 'tick', ARGV[3], 'by', ARGV[5], 'code', code)
call('EXPIRE', KEYS[1], ARGV[4])
return code
