-- Read the types of a sample of the waiting tasks: half from each end of the list and of the two sets.
-- KEYS  pending scheduled retry
-- ARGV  task_prefix limit
-- At most `limit` tasks of each are read, and 4 MiB of messages: a few large payloads must not hold up other clients.
-- Returns a flat list of each kind of answer: what it is (1: a type, 2: a message whose type does not come first, to be
-- decoded by the caller), the bytes, and how many tasks have it. A type is cut at 512 bytes.
local half = math.ceil(tonumber(ARGV[2]) / 2)
local BYTES_OF_EACH = 4 * 1024 * 1024

-- The first field of a message is its type, as both Go's and Python's protobuf write it: tag 0x0a, length, text.
local function type_of(message)
  local tag, low, high = string.byte(message, 1, 3)
  if tag ~= 10 or not low then
    return nil
  end
  local length, start = low, 3
  if low >= 128 then
    if not high or high >= 128 then
      return nil
    end
    length, start = low - 128 + high * 128, 4
  end
  return string.sub(message, start, start + math.min(length, 512) - 1)
end

local counts, others = {}, {}
for which, key in ipairs({KEYS[1], KEYS[2], KEYS[3]}) do
  local size = redis.call(which == 1 and 'LLEN' or 'ZCARD', key)
  local range = which == 1 and 'LRANGE' or 'ZRANGE'
  local ids = redis.call(range, key, 0, half - 1)
  for _, id in ipairs(redis.call(range, key, math.max(half, size - half), -1)) do
    ids[#ids + 1] = id
  end
  local left = BYTES_OF_EACH
  for _, id in ipairs(ids) do
    local message = false
    local bytes = redis.call('HSTRLEN', ARGV[1] .. id, 'msg')
    if bytes > 0 and bytes <= left then
      message = redis.call('HGET', ARGV[1] .. id, 'msg')
      left = left - bytes
    end
    local name = message and type_of(message)
    if name then
      counts[name] = (counts[name] or 0) + 1
    elseif message then
      others[#others + 1] = message
    end
  end
end
local found = {}
for name, count in pairs(counts) do
  found[#found + 1] = 1
  found[#found + 1] = name
  found[#found + 1] = count
end
for _, message in ipairs(others) do
  found[#found + 1] = 2
  found[#found + 1] = message
  found[#found + 1] = 1
end
return found
