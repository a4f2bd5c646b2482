-- Included by the scripts that write down failures: keeps what is told of an attempt, after those before it. A line each,
-- so that nothing has to be parsed here; ten at most, 24 KiB at most, the oldest go first.
-- Who ran it is kept beside, for those who count thousands of tasks: the line without its texts.
local function runner_of(attempt)
  -- Neither can be found in a text: there, quotes have backslashes before them.
  local texts = string.find(attempt, ',"error":"', 1, true)
  local worker = string.find(attempt, ',"worker":"', 1, true)
  return texts and worker and string.sub(attempt, 1, texts - 1) .. string.sub(attempt, worker)
end

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
  local runner = runner_of(attempt)
  if runner then
    redis.call('HSET', key, 'py:attempts', table.concat(kept, '\n'), 'py:failed_by', runner)
  else
    redis.call('HSET', key, 'py:attempts', table.concat(kept, '\n'))
    redis.call('HDEL', key, 'py:failed_by')
  end
end
