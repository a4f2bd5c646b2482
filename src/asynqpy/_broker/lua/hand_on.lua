-- Put tasks back that their server has no handler for: they wait, each time longer, for a server that has one.
-- Nothing is spent and nothing counted; how often it happened is in the hash until somebody handles the task.
-- KEYS  active lease scheduled due
-- ARGV  task_prefix first_milliseconds *( id token share longest_milliseconds )
-- The delay doubles with each time, to the longest; `share` is the part of it, 0 to 1, that is waited.
-- Returns the ids refused: no longer held by their claim.
-- include release
-- include note_due
local held, refused = release(KEYS[1], KEYS[2], ARGV[1], 3, 4)
if #held > 0 then
  local first = tonumber(ARGV[2])
  local time = call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  for i = 1, #held do
    local at = held[i]
    local id = ARGV[at]
    local key = ARGV[1] .. id
    local times = call('HINCRBY', key, 'py:released', 1)
    local delay = math.min(first * 2 ^ math.min(times - 1, 30), tonumber(ARGV[at + 3]))
    local due = now + math.ceil(delay * ARGV[at + 2])
    call('ZADD', KEYS[3], math.ceil(due / 1000), id)
    note_due(KEYS[4], id, due % 1000 == 0 and '' or due)
    call('HSET', key, 'state', 'scheduled')
    call('HDEL', key, 'py:claim', 'py:begun')
  end
  keep_due(KEYS[4])
end
return refused
