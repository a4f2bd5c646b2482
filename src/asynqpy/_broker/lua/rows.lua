-- Included by the scripts that read tasks: for each id its score in the container (empty in a list), its score in the
-- set beside it (a lease, or an exact due moment; empty when there is none, or when no other set is beside), and the
-- wanted fields of its hash.
local function rows(found, task_prefix, ids, scores, beside_key, fields)
  local at, count, is_beside = #found, #fields, beside_key ~= KEYS[1]
  for i = 1, #ids do
    local id = ids[i]
    local values = redis.call('HMGET', task_prefix .. id, unpack(fields))
    found[at + 1], found[at + 2] = id, scores[i] or ''
    found[at + 3] = is_beside and redis.call('ZSCORE', beside_key, id) or ''
    for n = 1, count do
      found[at + 3 + n] = values[n] or ''
    end
    at = at + 3 + count
  end
  return found
end

-- The ids and the scores of a reply WITHSCORES, in its order or turned round.
local function split(pairs_found, turned)
  local ids, scores = {}, {}
  local first, last, step = 1, #pairs_found - 1, 2
  if turned then
    first, last, step = last, first, -2
  end
  for at = first, last, step do
    ids[#ids + 1] = pairs_found[at]
    scores[#scores + 1] = pairs_found[at + 1]
  end
  return ids, scores
end

local function turn(ids)
  local turned = {}
  for at = #ids, 1, -1 do
    turned[#turned + 1] = ids[at]
  end
  return turned
end
