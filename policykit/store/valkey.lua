-- One atomic step of a store: conditions, holds, changes. There is no policy in it: what a hold may reach comes with it.
--
-- KEYS[1]  the tag that all keys begin with
-- ARGV[1]  JSON: [epoch, least sequence, format, now or -1, generation or -1, account, silent ms, conditions, holds,
--                 client order id's field or "", its own-id flag]
-- ARGV[2..] changes: how many words, then command, key, arguments
-- Answers  {status, epoch, sequence, generation, now, version of the account's facts, what is used of each hold...}
--
-- Numbers are integers below 2^53; what is larger is larger than any limit, or was rounded against the order.

local call, floor = redis.call, math.floor
local tag = KEYS[1] .. ':'
local epoch, least, format, now, generation, account, silent, conditions, holds, client_id, own =
  unpack(cjson.decode(ARGV[1]))

local meta = call('HMGET', tag .. 'meta', 'epoch', 'seq', 'generation', 'format')
local seq, moved = tonumber(meta[2]) or 0, tonumber(meta[3]) or 0
if now < 0 then
  local time = call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end

local function answer(status, used)
  local version = account ~= '' and call('HGET', tag .. 'a:' .. account, 'version') or ''
  return {status, meta[1] or '', seq, moved, now, version or '', unpack(used or {})}
end

if meta[1] ~= epoch or seq < least or (tonumber(meta[4]) or 0) > format then return answer('reset') end
if generation >= 0 and generation ~= moved then return answer('stale') end
for _, want in ipairs(conditions) do
  if call('HGET', tag .. want[1], want[2]) ~= want[3] then return answer('changed') end
end
if client_id ~= '' then
  local taken = call('HGET', tag .. 'ids', client_id)
  if taken then return answer('taken', {taken}) end
end

local function digits(text)  -- a number as digits to the base 10^7, least first
  local out = {}
  for last = #text, 1, -7 do out[#out + 1] = tonumber(text:sub(math.max(1, last - 6), last)) end
  return out
end

-- |quantity| x unit / 10^16, exact: the whole part, and whether there is more (store/exposure.py)
local function product(quantity, unit)
  local a, b, p = digits(string.format('%.0f', math.abs(quantity))), digits(unit), {}
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

local function steps(quantity, unit)
  local whole, more = product(quantity, unit)
  if quantity < 0 then return 1 - whole end
  return more and whole + 1 or whole
end

local positions = {}
local function position(owner, key)
  local id = owner .. '|' .. key
  local p = positions[id]
  if not p then
    local v = call('HMGET', tag .. 'a:' .. owner, 'l|' .. key, 'h|' .. key, 'b|' .. key, 's|' .. key, 'u|' .. key)
    p = {owner = owner, key = key, low = tonumber(v[1]) or 0, high = tonumber(v[2]) or 0,
         buys = tonumber(v[3]) or 0, sells = tonumber(v[4]) or 0, unit = v[5] or '0'}
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
  local long, short = steps(worst(p, true), p.unit), steps(worst(p, false), p.unit)
  local gross = math.max(long, short, 0)
  return gross, long, short, gross > 0 and 1 or 0
end

local function int(number) return string.format('%.0f', number) end

local function add(owner, gross, long, short, open)
  if gross ~= 0 then call('HINCRBY', tag .. 'totals', owner .. '|gross', int(gross)) end
  if long ~= 0 then call('HINCRBY', tag .. 'totals', owner .. '|long', int(long)) end
  if short ~= 0 then call('HINCRBY', tag .. 'totals', owner .. '|short', int(short)) end
  if open ~= 0 then call('HINCRBY', tag .. 'totals', owner .. '|positions', int(open)) end
end

-- Change a position, and count it anew for its account, its asset, and the account's groups.
local function change(p, act)
  local gross, long, short, open = worth(p)
  act(p)
  local gross2, long2, short2, open2 = worth(p)
  gross, long, short, open = gross2 - gross, long2 - long, short2 - short, open2 - open
  if gross == 0 and long == 0 and short == 0 then return end
  add(p.owner, gross, long, short, open)
  add(p.owner .. '|asset|' .. p.key:match('^[^/]*'), gross, long, short, open)
  local groups = call('HGET', tag .. 'a:' .. p.owner, 'groups')
  for _, group in ipairs(groups and cjson.decode(groups) or {}) do add(group, gross, long, short, open) end
end

local function claim(p, buys, sells)
  local hash = tag .. 'a:' .. p.owner
  change(p, function() p.buys, p.sells = p.buys + buys, p.sells + sells end)
  if buys ~= 0 then call('HINCRBY', hash, 'b|' .. p.key, int(buys)) end
  if sells ~= 0 then call('HINCRBY', hash, 's|' .. p.key, int(sells)) end
end

-- ---- what is used of a hold: {counter, amount, limit, kind, check, span ms, fixed, at least}

local windows = {}
local function window(hold)
  local w = windows[hold[1]]
  if w then return w end
  local v = call('HMGET', tag .. 'windows', hold[1] .. '|at', hold[1] .. '|used', hold[1] .. '|span')
  w = {at = tonumber(v[1]) or 0, total = tonumber(v[2]) or 0, span = tonumber(v[3]) or hold[6], new = not v[3],
       list = tag .. 'w:' .. hold[1], gone = 0}
  windows[hold[1]] = w
  if hold[7] then
    w.used = now - now % w.span > w.at and 0 or w.total
    return w
  end
  local edge, from = math.max(now, w.at) - w.span, 0
  w.used = w.total
  while true do  -- what has left the window is at the head; it is only removed by a use that is granted
    local page = call('LRANGE', w.list, from, from + (from == 0 and 1 or 63))
    for _, slice in ipairs(page) do
      local at, amount = slice:match('^(%d+) (%-?%d+)$')
      if tonumber(at) > edge then return w end
      w.used, w.gone = w.used - tonumber(amount), w.gone + 1
    end
    if #page == 0 then return w end
    from = from + #page
  end
end

local function spend(hold, amount)
  local w = window(hold)
  local at, total = hold[1] .. '|at', hold[1] .. '|used'
  if w.new then call('HSET', tag .. 'windows', hold[1] .. '|span', w.span, hold[1] .. '|fixed', hold[7] and 1 or 0) end
  w.new = false
  if hold[7] then
    local start = now - now % w.span
    if start > w.at then w.at, w.total = start, 0 end
  else
    if w.gone > 0 then call('LPOP', w.list, w.gone) end
    w.total, w.gone, w.at = w.used, 0, math.max(w.at, now)
    local slice, last = math.max(1, floor(w.span / 1000)), call('LINDEX', w.list, -1)
    local when, before = (last or ''):match('^(%d+) (%-?%d+)$')
    if when and floor(when / slice) == floor(w.at / slice) then
      call('LSET', w.list, -1, int(w.at) .. ' ' .. int(before + amount))
    else
      call('RPUSH', w.list, int(w.at) .. ' ' .. int(amount))
    end
  end
  w.total = w.total + amount
  w.used = w.total
  call('HSET', tag .. 'windows', at, int(w.at), total, int(w.total))
end

local function use(hold)
  local counter, amount, kind = hold[1], hold[2], hold[4]
  if kind == 'sum' then return tonumber(call('HGET', tag .. 'sums', counter) or 0) end
  if kind == 'window' then return window(hold).used end
  if kind == 'position' then
    local owner, key = counter:match('^([^|]*)|[^|]*|(.*)$')
    return worst(position(owner, key), amount > 0)
  end
  if kind == 'gross' or kind == 'net' then
    local which = kind == 'gross' and '|gross' or amount > 0 and '|long' or '|short'
    return tonumber(call('HGET', tag .. 'totals', counter:match('^(.*)|[^|]*$') .. which) or 0)
  end
  if kind == 'positions' then
    local owner, key = counter:match('^([^|]*)|[^|]*|(.*)$')
    local _, _, _, open = worth(position(owner, key))
    return tonumber(call('HGET', tag .. 'totals', owner .. '|positions') or 0) - open
  end
  if kind == 'lease' then
    local held = call('HMGET', tag .. 'leases', counter, counter .. '|until')
    return held[1] and held[1] ~= hold[5] and tonumber(held[2]) > now and 1 or 0
  end
  local unknown = call('ZCOUNT', tag .. 'c:' .. counter, 0, 0)
  return unknown + math.min(1, call('ZCOUNT', tag .. 'c:' .. counter, 1, '(' .. int(now - silent)))
end

local used, full = {}, false
for index, hold in ipairs(holds) do
  local amount = hold[4] == 'lease' and 0 or math.abs(hold[2])
  used[index] = use(hold)
  if hold[8] then hold[2] = math.max(0, amount - used[index])
  elseif used[index] + amount > hold[3] then full = true end
end
if full then return answer('full', used) end
if own == 1 then
  local taken = call('HGET', tag .. 'own', client_id)
  if taken then return answer('taken', {taken}) end
end

-- ---- all of it fits: from here on everything is done

for _, hold in ipairs(holds) do
  local counter, amount, kind = hold[1], hold[2], hold[4]
  if kind == 'sum' then
    call('HINCRBY', tag .. 'sums', counter, int(amount))
  elseif kind == 'window' and not (hold[8] and amount == 0) then
    spend(hold, amount)
  elseif kind == 'position' and client_id ~= '' then
    local owner, key = counter:match('^([^|]*)|[^|]*|(.*)$')
    claim(position(owner, key), math.max(0, amount), math.max(0, -amount))
  elseif kind == 'lease' then
    call('HSET', tag .. 'leases', counter, hold[5], counter .. '|until', int(now + amount))
  end
end

local special = {}

-- account, key, buys and sells to add, and the rest if it changed: low, high, facts, unit
function special.POSITION(owner, key, buys, sells, low, high, state, unit)
  local p = position(owner, key)
  change(p, function()
    if low ~= '' then p.low, p.high = tonumber(low), tonumber(high) end
    if unit ~= '' then p.unit = unit end
  end)
  if low ~= '' then call('HSET', tag .. 'a:' .. owner, 'l|' .. key, low, 'h|' .. key, high, 'p|' .. key, state) end
  if unit ~= '' then call('HSET', tag .. 'a:' .. owner, 'u|' .. key, unit) end
  claim(p, tonumber(buys), tonumber(sells))
end

-- account, then the groups that its positions count into from now on
function special.JOIN(owner, ...)
  for _, field in ipairs(call('HKEYS', tag .. 'a:' .. owner)) do
    local key = field:match('^u|(.*)$')
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
    local old, its = call('LPOP', tag .. 'over'):match('^([^\n]*)\n(.*)$')
    call('HDEL', tag .. 'closed', old)
    call('HDEL', tag .. 'ids', its)
  end
end

local at = 2
while ARGV[at] do
  local last = at + tonumber(ARGV[at])
  local act = special[ARGV[at + 1]]
  if act then act(unpack(ARGV, at + 2, last))
  else call(ARGV[at + 1], tag .. ARGV[at + 2], unpack(ARGV, at + 3, last)) end
  at = last + 1
end
seq = call('HINCRBY', tag .. 'meta', 'seq', 1)
return answer('ok', used)
