-- Included by the scripts that write down failures: keeps what is told of an attempt, after those before it. A line each,
-- so that nothing has to be parsed here; ten at most, 24 KiB at most, the oldest go first.
local function remember(key, attempt)
  if attempt == '' then
    return
  end
  local kept, size, lines = {attempt}, #attempt, {}
  for line in string.gmatch(redis.call('HGET', key, 'py:attempts') or '', '[^\n]+') do
    lines[#lines + 1] = line
  end
  for at = #lines, 1, -1 do
    size = size + 1 + #lines[at]
    if #kept == 10 or size > 24576 then
      break
    end
    table.insert(kept, 1, lines[at])
  end
  redis.call('HSET', key, 'py:attempts', table.concat(kept, '\n'))
end
