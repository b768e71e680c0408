-- One atomic step of a store: conditions, holds, changes. There is no policy in it: what a hold may reach comes with it.
--
-- KEYS[1]  the tag that all keys begin with
-- ARGV[1]  JSON: [epoch, least sequence, format, now or -1, generation or -1, account, silent ms, step ms,
--                 conditions, holds, intent]
--          intent: false, or [id, field of its client order id, its own-id flag, `clear` counter, end of permit or false]
-- ARGV[2]  the intent's record
-- ARGV[3..] changes: how many words, then command, key, arguments
-- Answers  "status epoch sequence generation now version", then what is used of each hold
--
-- Numbers are integers below 2^53; what is larger is larger than any limit, or was rounded against the order.
-- Counters are fields of one hash: read together, and what a step changed written together. A call costs what ten
-- lines of this do, an answer of many parts as much again.

local call, floor, max, abs, format, match = redis.call, math.floor, math.max, math.abs, string.format, string.match
local tag = KEYS[1] .. ':'
local epoch, least, form, now, generation, account, silent, step, conditions, holds, intent =
  unpack(cjson.decode(ARGV[1]))

local hash, fields = tag .. 'meta', {'epoch', 'seq', 'generation', 'format', 'v|' .. account}
if intent then fields[6] = 'i|' .. intent[2] end
for _, hold in ipairs(holds) do  -- what stands behind a counter
  local counter, kind = hold[1], hold[4]
  if kind == 'sum' then hold.field = 's|' .. counter
  elseif kind == 'window' then hold.field = 'w|' .. counter
  elseif kind == 'lease' then hold.field = 'l|' .. counter
  elseif kind == 'positions' then hold.field = 't|' .. match(counter, '^[^|]*')
  elseif kind == 'gross' or kind == 'net' then hold.field = 't|' .. match(counter, '^(.*)|[^|]*$') end
  fields[#fields + 1] = hold.field
end
local state, changed = {}, {}
for index, value in ipairs(call('HMGET', hash, unpack(fields))) do state[fields[index]] = value end

local function read(field)
  local value = state[field]
  if value == nil then
    value = call('HGET', hash, field)
    state[field] = value
  end
  return value
end

local function write(field, value)
  if changed[field] == nil then changed[#changed + 1] = field end
  changed[field], state[field] = value, value
end

local seq, moved = tonumber(state.seq or 0), tonumber(state.generation or 0)
if now < 0 then
  local time = call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end

local function int(number) return format(abs(number) < 2 ^ 53 and '%d' or '%.0f', number) end

local function answer(status, used)
  local words = {status, state.epoch or '-', int(seq), int(moved), int(now), state['v|' .. account] or '0'}
  for index, value in ipairs(used or {}) do words[6 + index] = value end
  return {ok = table.concat(words, ' ')}  -- one line: the quickest to read
end

if state.epoch ~= epoch or seq < least or tonumber(state.format or 0) > form then return answer('reset') end
if generation >= 0 and generation ~= moved then return answer('stale') end
for _, want in ipairs(conditions) do
  if call('HGET', tag .. want[1], want[2]) ~= want[3] then return answer('changed') end
end
if intent and state[fields[6]] then return answer('taken', {state[fields[6]]}) end

-- ---- positions, and what all of them are worth

local function digits(text)  -- a number as digits to the base 10^7, least first
  local out = {}
  for last = #text, 1, -7 do out[#out + 1] = tonumber(text:sub(max(1, last - 6), last)) end
  return out
end

-- |quantity| x unit / 10^16, exact: the whole part, and whether there is more (store/exposure.py)
local function product(quantity, b)
  local a, p, left = {}, {}, abs(quantity)
  if left < 2 ^ 53 then
    repeat
      local digit = math.fmod(left, 1e7)
      a[#a + 1], left = digit, (left - digit) / 1e7
    until left == 0
  else a = digits(int(left)) end
  for i = 1, #a + #b do p[i] = 0 end
  for i = 1, #a do
    local carry = 0
    for j = 1, #b do
      local sum = p[i + j - 1] + a[i] * b[j] + carry
      carry = floor(sum / 1e7)
      p[i + j - 1] = sum - carry * 1e7
    end
    p[i + #b] = p[i + #b] + carry
  end
  local third = p[3] or 0
  local whole, more = floor(third / 100), p[1] ~= 0 or p[2] ~= 0 or third % 100 ~= 0
  local weight = 1e5
  for i = 4, #p do
    whole, weight = whole + p[i] * weight, weight * 1e7
  end
  return whole, more
end

local function steps(p, quantity)
  local known = p.steps[quantity]
  if not known then
    p.digits = p.digits or digits(p.unit)
    local whole, more = product(quantity, p.digits)
    known = quantity < 0 and 1 - whole or more and whole + 1 or whole
    p.steps[quantity] = known
  end
  return known
end

local positions = {}
local function position(owner, key)
  local id = owner .. '|' .. key
  local p = positions[id]
  if not p then
    local v = call('HMGET', tag .. 'a:' .. owner, 'l|' .. key, 'h|' .. key, 'b|' .. key, 's|' .. key, 'u|' .. key, 'groups')
    p = {owner = owner, key = key, low = tonumber(v[1] or 0), high = tonumber(v[2] or 0),
         buys = tonumber(v[3] or 0), sells = tonumber(v[4] or 0), unit = v[5] or '0', groups = v[6], steps = {}}
    positions[id] = p
  end
  return p
end

local function worst(p, buy)
  if buy then return p.high + p.buys end
  return p.sells - p.low
end

local function worth(p)
  if p.unit == '0' then return 0, 0, 0, 0 end
  local long, short = steps(p, worst(p, true)), steps(p, worst(p, false))
  local gross = max(long, short, 0)
  return gross, long, short, gross > 0 and 1 or 0
end

-- The totals of an owner: gross, long, short, positions.
local function totals(field)
  local gross, long, short, open = match(read(field) or '', '^(%-?%d+) (%-?%d+) (%-?%d+) (%d+)$')
  return tonumber(gross or 0), tonumber(long or 0), tonumber(short or 0), tonumber(open or 0)
end

local function add(owner, gross, long, short, open)
  local field = 't|' .. owner
  local g, l, s, o = totals(field)
  write(field, format('%.0f %.0f %.0f %.0f', g + gross, l + long, s + short, o + open))
end

-- Change a position, and count it anew for its account, its asset, and the account's groups.
local function change(p, act)
  local gross, long, short, open = worth(p)
  act(p)
  local gross2, long2, short2, open2 = worth(p)
  gross, long, short, open = gross2 - gross, long2 - long, short2 - short, open2 - open
  if gross == 0 and long == 0 and short == 0 then return end
  add(p.owner, gross, long, short, open)
  add(p.owner .. '|asset|' .. match(p.key, '^[^/]*'), gross, long, short, open)
  for _, group in ipairs(p.groups and cjson.decode(p.groups) or {}) do add(group, gross, long, short, open) end
end

local function claim(p, buys, sells)
  if buys == 0 and sells == 0 then return end
  change(p, function() p.buys, p.sells = p.buys + buys, p.sells + sells end)
  call('HSET', tag .. 'a:' .. p.owner, 'b|' .. p.key, int(p.buys), 's|' .. p.key, int(p.sells))
end

-- ---- what is used of a hold: {counter, amount, limit, kind, holder, span ms, fixed, at least}

-- A window is "at used newest span fixed". A rolling one has a list beside it: "at amount" of each slice, the newest too.
local windows = {}
local function window(hold)
  local w = windows[hold.field]
  if w then return w end
  local at, total, newest, span = match(read(hold.field) or '', '^(%d+) (%-?%d+) (%-?%d+) (%d+)')
  w = {at = tonumber(at or 0), total = tonumber(total or 0), newest = tonumber(newest or 0), new = not at,
       span = tonumber(span or hold[6]), list = tag .. 'w:' .. hold[1], gone = 0}
  windows[hold.field] = w
  if hold[7] then
    w.used = now - now % w.span > w.at and 0 or w.total
    return w
  end
  w.used = w.total
  local edge, from = max(now, w.at) - w.span, 0
  while not w.new do  -- what has left the window is at the head; it is only removed by a use that is granted
    local page = call('LRANGE', w.list, from, from + (from == 0 and 1 or 63))
    for _, slice in ipairs(page) do
      local since, amount = match(slice, '^(%d+) (%-?%d+)$')
      if tonumber(since) > edge then return w end
      w.used, w.gone = w.used - tonumber(amount), w.gone + 1
    end
    if #page == 0 then break end
    from = from + #page
  end
  return w
end

-- Look at the two oldest windows and forget those that are long empty: as windows are made, all come by (ledger.py).
local function prune()
  for _ = 1, math.min(2, call('LLEN', tag .. 'w')) do
    local counter = call('LPOP', tag .. 'w')
    local field = 'w|' .. counter
    local at, span = match(read(field) or '', '^(%d+) %-?%d+ %-?%d+ (%d+)')
    if not windows[field] and at and at + span <= now - step then
      state[field] = false
      call('HDEL', hash, field)
      call('DEL', tag .. 'w:' .. counter)
    else
      call('RPUSH', tag .. 'w', counter)
    end
  end
end

local function spend(hold, amount)
  local w, before = window(hold), nil
  if w.new then
    prune()
    call('RPUSH', tag .. 'w', hold[1])
  else before = w.at end
  w.new = false
  if hold[7] then
    local start = now - now % w.span
    if start > w.at then w.at, w.total = start, 0 end
  else
    if w.gone > 0 then call('LPOP', w.list, w.gone) end
    local slice = max(1, floor(w.span / 1000))
    w.total, w.gone, w.at = w.used, 0, max(w.at, now)
    if before and floor(before / slice) == floor(w.at / slice) then
      w.newest = w.newest + amount
      call('LSET', w.list, -1, format('%d %d', w.at, w.newest))
    else
      w.newest = amount
      call('RPUSH', w.list, format('%d %d', w.at, amount))
    end
  end
  w.total = w.total + amount
  w.used = w.total
  write(hold.field, format('%d %d %d %d %d', w.at, w.total, w.newest, w.span, hold[7] and 1 or 0))
end

local function hold_sum(counter, amount)
  local field = 's|' .. counter
  write(field, int(tonumber(read(field) or 0) + amount))
end

local function place(counter)  -- account and key of a counter
  local owner, key = match(counter, '^([^|]*)|[^|]*|(.*)$')
  return position(owner, key)
end

local function use(hold)
  local counter, amount, kind = hold[1], hold[2], hold[4]
  if kind == 'sum' then return tonumber(read(hold.field) or 0) end
  if kind == 'window' then return window(hold).used end
  if kind == 'position' then return worst(place(counter), amount > 0) end
  if kind == 'clear' then  -- how many are unknown; all that are silent count as one; the lowest tells if there are any
    local key = tag .. 'c:' .. counter
    local lowest = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    if not lowest then return 0 end
    if tonumber(lowest) > 0 then return tonumber(lowest) < now - silent and 1 or 0 end
    return call('ZCOUNT', key, 0, 0) + math.min(1, call('ZCOUNT', key, 1, '(' .. int(now - silent)))
  end
  if kind == 'lease' then
    local ends, holder = match(read(hold.field) or '', '^(%d+) (.*)$')
    return ends and holder ~= hold[5] and tonumber(ends) > now and 1 or 0
  end
  local gross, long, short, open = totals(hold.field)
  if kind == 'gross' then return gross end
  if kind == 'net' then return amount > 0 and long or short end
  local _, _, _, own = worth(place(counter))  -- positions
  return open - own
end

local used, full = {}, false
for index, hold in ipairs(holds) do
  local amount = hold[4] == 'lease' and 0 or abs(hold[2])
  local found = use(hold)
  used[index] = int(found)
  if hold[8] then hold[2] = max(0, amount - found)
  elseif found + amount > math.min(hold[3], 2 ^ 53 - 1) then full = true end
end
if full then return answer('full', used) end
if intent and intent[3] then
  local taken = call('HGET', tag .. 'own', intent[2])
  if taken then return answer('taken', {taken}) end
end

-- ---- all of it fits: from here on everything is done

for _, hold in ipairs(holds) do
  local counter, amount, kind = hold[1], hold[2], hold[4]
  if kind == 'sum' then
    hold_sum(counter, amount)
  elseif kind == 'window' and not (hold[8] and amount == 0) then
    spend(hold, amount)
  elseif kind == 'position' and intent then
    claim(place(counter), max(0, amount), max(0, -amount))
  elseif kind == 'lease' then
    write(hold.field, format('%d %s', now + amount, hold[5]))
  end
end
if intent then
  call('HSET', tag .. 'open', intent[1], ARGV[2])
  write(fields[6], intent[1])
  if intent[3] then call('HSET', tag .. 'own', intent[2], intent[1]) end
  if intent[5] then call('ZADD', tag .. 'c:' .. intent[4], intent[5], intent[1]) end
end
if ARGV[3] then
  local special = {}

  special.ADD = hold_sum

  -- account, key, buys and sells to add, and the rest if it changed: low, high, facts, unit
  function special.POSITION(owner, key, buys, sells, low, high, facts, unit)
    local p, at = position(owner, key), tag .. 'a:' .. owner
    change(p, function()
      if low ~= '' then p.low, p.high = tonumber(low), tonumber(high) end
      if unit ~= '' then p.unit, p.digits, p.steps = unit, nil, {} end
    end)
    if low ~= '' then call('HSET', at, 'l|' .. key, low, 'h|' .. key, high, 'p|' .. key, facts) end
    if unit ~= '' then call('HSET', at, 'u|' .. key, unit) end
    claim(p, tonumber(buys), tonumber(sells))
  end

  -- account, then the groups that its positions count into from now on
  function special.JOIN(owner, ...)
    for _, field in ipairs(call('HKEYS', tag .. 'a:' .. owner)) do
      local key = match(field, '^u|(.*)$')
      if key then
        local gross, long, short, open = worth(position(owner, key))
        for _, group in ipairs({...}) do add(group, gross, long, short, open) end
      end
    end
  end

  -- id, field of its client order id, record, how many are kept: move an intent to those that are over
  function special.CLOSE(id, field, record, keep)
    call('HDEL', tag .. 'open', id)
    call('HSET', tag .. 'closed', id, record)
    call('RPUSH', tag .. 'over', id .. '\n' .. field)
    while call('LLEN', tag .. 'over') > tonumber(keep) do
      local old, its = match(call('LPOP', tag .. 'over'), '^([^\n]*)\n(.*)$')
      call('HDEL', tag .. 'closed', old)
      call('HDEL', hash, 'i|' .. its)
    end
  end

  local at = 3
  while ARGV[at] do
    local last = at + tonumber(ARGV[at])
    local act = special[ARGV[at + 1]]
    if act then act(unpack(ARGV, at + 2, last))
    else call(ARGV[at + 1], tag .. ARGV[at + 2], unpack(ARGV, at + 3, last)) end
    at = last + 1
  end
end

seq = seq + 1
local writes = {'seq', int(seq)}
for _, field in ipairs(changed) do
  writes[#writes + 1] = field
  writes[#writes + 1] = changed[field]
end
call('HSET', hash, unpack(writes))
return answer('ok', used)
