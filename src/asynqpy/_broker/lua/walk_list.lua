-- Read the tasks of a list that come after those already read.
-- Reading goes on behind an id that was read before and is still there, wherever it has moved to. When none of those
-- that the caller remembers is left it begins again: a task may be read twice then, but none that stays is left out.
-- KEYS  container beside
-- ARGV  task_prefix position last middle first count descending *( field )
-- `position` counts from the end where reading begins and was that of `last`; 0 begins.
-- Returns the position of the last task read, then flat of each task: id, score (empty), score in `beside`, fields
-- (empty when there is none).
-- include rows
local call = redis.call
local key, position, count, descending = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[6]), ARGV[7] == '1'
local fields = {}
for at = 8, #ARGV, 1 do
  fields[#fields + 1] = ARGV[at]
end

-- The ids from one position to another.
local function window(first, last)
  if first > last then
    return {}
  elseif descending then
    return call('LRANGE', key, first - 1, last - 1)
  end
  return turn(call('LRANGE', key, -last, -first))
end

-- Where an id is that was read before. What is taken from the end where reading began brings it nearer, what is added
-- there takes it further away.
local function position_of(id)
  local first = math.max(1, position - 2000)
  for offset, other in ipairs(window(first, position + 500)) do
    if other == id then
      return first + offset - 1
    end
  end
  local index = call('LPOS', key, id, 'RANK', descending and 1 or -1, 'MAXLEN', position + 5000)
  if not index then
    return nil
  end
  return descending and index + 1 or call('LLEN', key) - index
end

local place = 0
if position > 0 then
  if window(position, position)[1] == ARGV[3] then
    place = position
  else
    place = position_of(ARGV[3]) or position_of(ARGV[4]) or position_of(ARGV[5]) or 0
  end
end
local ids = window(place + 1, place + count)
return rows({place + #ids}, ARGV[1], ids, {}, KEYS[2], fields)
