-- Delete tasks that ended and are not kept.                              asynq: doneCmd, doneUniqueCmd
-- KEYS  active lease processed processed_today
-- ARGV  task_prefix expire_at *( id token lock_key )
-- Returns the ids refused: no longer held by their claim.
-- include rows
-- include release
-- include count
local held, refused = release(KEYS[1], KEYS[2], ARGV[1], rows(3, 3))
if #held > 0 then
  local hashes = {}
  for i, task in ipairs(held) do
    hashes[i] = ARGV[1] .. task[1]
    unlock(task[3], task[1])
  end
  redis.call('DEL', unpack(hashes))
  count({KEYS[3], KEYS[4]}, #held, 0, ARGV[2])
end
return refused
