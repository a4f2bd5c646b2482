-- Read how much containers of a queue hold, all at one moment.
-- KEYS  prefix
-- ARGV  *( command name )
-- The name of a container is its key without the prefix; its command is LLEN, ZCARD or SCARD.
-- Returns the sizes, in the order of the names.
local sizes = {}
for at = 1, #ARGV, 2 do
  sizes[#sizes + 1] = redis.call(ARGV[at], KEYS[1] .. ARGV[at + 1])
end
return sizes
