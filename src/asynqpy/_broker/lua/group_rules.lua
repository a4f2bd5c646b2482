-- Included by the scripts that form aggregation sets and undo them: the rules, and the moving.
-- Rules in this order, of which one is enough: there are max_size tasks; the oldest has waited for max_delay; the newest
-- has waited for grace. A max_size or max_delay of 0 is no rule.
local MOVED_PIECE = 500

local function moment_at(group_key, rank)
  return tonumber(redis.call('ZRANGE', group_key, rank, rank, 'WITHSCORES')[2])
end

local function is_due(group_key, count, max_size, max_delay, grace, now)
  if count == 0 then
    return false
  end
  return (max_size > 0 and count >= max_size)
    or (max_delay > 0 and moment_at(group_key, 0) <= now - max_delay)
    or moment_at(group_key, -1) <= now - grace
end

-- Moves the oldest `count` tasks with their scores, in pieces that unpack() takes.
local function move(source, destination, count)
  while count > 0 do
    local members = redis.call('ZRANGE', source, 0, math.min(count, MOVED_PIECE) - 1, 'WITHSCORES')
    if #members == 0 then
      return
    end
    local moved = {}
    for at = 1, #members, 2 do
      moved[at], moved[at + 1] = members[at + 1], members[at]
    end
    redis.call('ZADD', destination, unpack(moved))
    redis.call('ZREMRANGEBYRANK', source, 0, #members / 2 - 1)
    count = count - #members / 2
  end
end
