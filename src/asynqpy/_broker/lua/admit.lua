-- May a task start now? By the limits of its handler: how many run at once, and how often they start.
-- A task that may not start keeps a place in a line, and is told when to come back. First it gets a permit, from those
-- that end or in the order of the line; with a permit it waits for its turn. Turns are spaced by one interval (GCRA),
-- judged where tasks really pass, so that late ones never bunch. Microseconds inside, by Redis' own clock.
-- KEYS  next line due holders owners waiting
-- ARGV  member token interval tolerance max_active lease_milliseconds noise
-- Returns 1 and the microseconds to wait in place, or 0 and the Unix millisecond to come back at; then the members that
-- were given a permit, to be called.
-- include permits
local call = redis.call
local SECOND = 1000000
local IN_PLACE = 50000 -- shorter waits are not worth a way through `scheduled`
local PATIENCE = 60000000 -- who waits longer asks in between, so that the tasks that were deleted are found out
local PACE = 10000 -- but of all that wait never more than a hundred a second
local SHORTEST_NAP, LONGEST_NAP = 250000, 5000000 -- of those that wait for a permit, which are called when there is one
local ABSENT = 30000000 -- who is so late for its turn has lost it
local member, token, noise = ARGV[1], ARGV[2], tonumber(ARGV[7])
local interval, tolerance = tonumber(ARGV[3]), tonumber(ARGV[4])
local max_active, lease = tonumber(ARGV[5]), tonumber(ARGV[6])
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local now_milliseconds = math.floor(now / 1000)
local called = {}
-- A server that is out of memory refuses scripts that begin with a write that needs some. This one needs none, and what
-- comes after the first write is allowed: limited tasks, too, must be worked off then.
call('ZREM', KEYS[4], '')

local function text(number)
  return string.format('%.0f', number)
end

local function come_back(moment)
  return {0, text(math.ceil(moment / 1000)), unpack(called)}
end

if max_active > 0 then
  drop_ended_permits(KEYS[4], KEYS[5], now_milliseconds)
  if not call('ZSCORE', KEYS[4], member) then
    local is_given = false
    for _, given in ipairs(give_permits(KEYS[4], KEYS[5], KEYS[6], max_active, now_milliseconds)) do
      if given == member then
        is_given = true
      else
        called[#called + 1] = given
      end
    end
    local waiting = call('ZCARD', KEYS[6])
    if not is_given and (waiting > 0 or call('ZCARD', KEYS[4]) >= max_active) then
      call('ZADD', KEYS[6], 'NX', text(now), member)
      local longest = math.max(LONGEST_NAP, waiting * PACE)
      local nap = (now - call('ZSCORE', KEYS[6], member)) / 2
      nap = math.min(math.max(nap, SHORTEST_NAP), longest) * (1 + noise / 4)
      call('PEXPIRE', KEYS[6], text(KEEP_MILLISECONDS + longest / 1000))
      return come_back(now + nap)
    end
  end
end

local turn = now
if interval > 0 then
  local absent = call('ZRANGEBYSCORE', KEYS[3], '-inf', text(now - ABSENT), 'LIMIT', 0, 1000)
  if #absent > 0 then
    call('ZREM', KEYS[2], unpack(absent))
    call('ZREM', KEYS[3], unpack(absent))
  end
  local length = call('ZCARD', KEYS[2])
  local ahead = call('ZRANK', KEYS[2], member)
  if ahead then
    -- Who should have been here before is not waited for. Turns are an interval apart, so half of one tells.
    local late_since = now - math.min(interval, SECOND) / 2
    local late = call('ZCOUNT', KEYS[3], '-inf', text(late_since))
    if tonumber(call('ZSCORE', KEYS[3], member) or '0') <= late_since then
      late = late - 1
    end
    ahead = math.max(0, ahead - late)
  else
    ahead = length
  end
  local next_start = math.max(now, tonumber(call('GET', KEYS[1]) or '0'))
  turn = math.max(now, next_start + ahead * interval - tolerance)
  if turn - now > IN_PLACE then
    local back = math.min(turn, now + math.max(PATIENCE, length * PACE) * (1 - noise / 2))
    call('ZADD', KEYS[2], 'NX', text(now), member)
    call('ZADD', KEYS[3], text(back), member)
    local keep = text(KEEP_MILLISECONDS + (back - now) / 1000)
    call('PEXPIRE', KEYS[2], keep)
    call('PEXPIRE', KEYS[3], keep)
    if max_active > 0 then
      hold_permit(KEYS[4], KEYS[5], member, '', text(back / 1000 + GRACE_MILLISECONDS))
    end
    return come_back(back)
  end
  next_start = math.max(next_start, turn) + interval
  call('SET', KEYS[1], text(next_start), 'PX', text(KEEP_MILLISECONDS + (next_start - now) / 1000))
  call('ZREM', KEYS[2], member)
  call('ZREM', KEYS[3], member)
end
if max_active > 0 then
  hold_permit(KEYS[4], KEYS[5], member, token, now_milliseconds + lease)
end
return {1, text(turn - now), unpack(called)}
