-- Read the tasks of a sorted set that come after a score and member.
-- The place in the set is found by rank, so it costs the same wherever it is, and however many members share a score.
-- KEYS  container beside
-- ARGV  task_prefix score member count descending *( field )
-- An empty score begins at the end where reading begins.
-- Returns a flat list of each task: id, score, score in `beside`, fields (empty when there is none).
-- include rows
local call = redis.call

-- Lua compares text by the rules of the server's language; Redis orders members by their bytes.
local function is_after(one, other)
  local length = math.min(#one, #other)
  for at = 1, length do
    local left, right = string.byte(one, at), string.byte(other, at)
    if left ~= right then
      return left > right
    end
  end
  return #one > #other
end

-- The ranks of the last member before the place, and of the first one after it.
local function around(key, score, member)
  local rank = call('ZRANK', key, member)
  if rank and tonumber(call('ZSCORE', key, member)) == tonumber(score) then
    return rank - 1, rank + 1
  end
  local low, high = call('ZCOUNT', key, '-inf', '(' .. score), call('ZCOUNT', key, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_after(call('ZRANGE', key, middle, middle)[1], member) then
      high = middle
    else
      low = middle + 1
    end
  end
  return low - 1, low
end

local score, count, descending = ARGV[2], tonumber(ARGV[4]), ARGV[5] == '1'
local fields = {}
for at = 6, #ARGV, 1 do
  fields[#fields + 1] = ARGV[at]
end
local before, after = call('ZCARD', KEYS[1]) - 1, 0
if score ~= '' then
  before, after = around(KEYS[1], score, ARGV[3])
end
local found = {}
if not descending then
  found = call('ZRANGE', KEYS[1], after, after + count - 1, 'WITHSCORES')
elseif before >= 0 then
  found = call('ZRANGE', KEYS[1], math.max(0, before - count + 1), before, 'WITHSCORES')
end
local ids, scores = split(found, descending)
return rows({}, ARGV[1], ids, scores, KEYS[2], fields)
