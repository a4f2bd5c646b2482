-- Included by the scripts that need a text from inside a stored message: reads the protobuf by its field numbers.
local UNIQUE_KEY = 10

local function varint(data, at)
  local value, factor = 0, 1
  while true do
    local byte = string.byte(data, at)
    if not byte then
      return nil
    end
    at = at + 1
    value = value + byte % 128 * factor
    if byte < 128 then
      return value, at
    end
    factor = factor * 128
  end
end

-- The text in field `wanted`, or nil when there is none, or the message cannot be read.
local function message_text(data, wanted)
  local found, at = nil, 1
  while at and at <= #data do
    local tag, size
    tag, at = varint(data, at)
    local kind = tag and tag % 8
    if kind == 0 then
      size, at = varint(data, at)
    elseif kind == 1 or kind == 5 then
      at = at + (kind == 1 and 8 or 4)
    elseif kind == 2 then
      size, at = varint(data, at)
      if size and math.floor(tag / 8) == wanted then
        found = string.sub(data, at, at + size - 1)
      end
      at = at and at + size
    else
      return nil
    end
  end
  return found
end
