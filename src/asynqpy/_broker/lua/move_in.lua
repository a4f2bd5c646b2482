-- Put tasks that come from another queue where they were there.
-- KEYS  container groups due
-- ARGV  task_prefix state *( id message lock_key lock_seconds group score due_milliseconds since result traceback
-- ARGV  crashes attempts failed_by )
-- Returns a code a task: 1 done, 0 id taken, 2 id taken by this very message, -1 duplicate of a unique task, -2 of
-- this very message.
-- include reserve
-- include note_due
local prefix, state = ARGV[1], ARGV[2]
local along = {'pending_since', 'result', 'py:traceback', 'py:crashes', 'py:attempts', 'py:failed_by'}
local codes = {}
for at = 3, #ARGV, 13 do
  local id, message, group = ARGV[at], ARGV[at + 1], ARGV[at + 4]
  local key = prefix .. id
  local code = reserve(key, id, message, ARGV[at + 2], ARGV[at + 3])
  if code == 1 then
    call('HSET', key, 'msg', message, 'state', state)
    for offset, field in ipairs(along) do
      if ARGV[at + 6 + offset] ~= '' then
        call('HSET', key, field, ARGV[at + 6 + offset])
      end
    end
    if group ~= '' then
      call('HSET', key, 'group', group)
    end
    if state == 'aggregating' then
      call('SADD', KEYS[2], group)
    end
    if state == 'pending' then
      call('LPUSH', KEYS[1], id)
    else
      call('ZADD', KEYS[1], ARGV[at + 5], id)
      note_due(KEYS[3], id, ARGV[at + 6])
    end
  end
  codes[#codes + 1] = code
end
keep_due(KEYS[3])
return codes
