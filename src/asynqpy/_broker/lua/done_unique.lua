-- Delete unique tasks that ended and are not kept, and release their locks.     asynq: doneUniqueCmd
-- KEYS  active lease processed processed_today
-- ARGV  task_prefix expire_at *( id token lock_key )
-- Returns the ids refused: no longer held by their claim.
-- include release
-- include count
local held, refused = release(KEYS[1], KEYS[2], ARGV[1], 3, 3)
for i = 1, #held do
  local at = held[i]
  call('DEL', ARGV[1] .. ARGV[at])
  unlock(ARGV[at + 2], ARGV[at])
end
count({KEYS[3], KEYS[4]}, #held, 0, ARGV[2])
return refused
