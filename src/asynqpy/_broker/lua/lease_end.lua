-- Included by the scripts that make leases: the score of a lease of so many milliseconds from now, by Redis' own clock.
-- Never a whole second: that is how a lease shows that a Python server made it.
local function lease_end(milliseconds)
  local time = redis.call('TIME')
  local ends = time[1] * 1000 + math.floor(time[2] / 1000) + milliseconds
  if ends % 1000 == 0 then
    ends = ends + 1
  end
  return string.format('%.3f', ends / 1000)
end
