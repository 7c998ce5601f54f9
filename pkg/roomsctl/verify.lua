-- Copyright (C) the ngx_rooms_module authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- One bounded step of "roomsctl verify": compares counters and indexes with
-- the rows that they follow from (docs/data-model.md), and mends them.
--
-- KEYS[1]: the tenant's hash.  ARGV: "fix" or "look", where the first item
-- goes on ("-": it begins), and items as "kind name".  Answers lines:
--
--     ok                        always the first
--     found TEXT                differs; with "fix" it is mended now
--     broken TEXT               nothing says what it should be
--     room ID PLACE             where a room counts
--     next ITEM STATE           more to do: this item, and those behind it
--
-- A step is atomic, and a commit of the module is, too.  So what a step
-- compares was written by the same commits.  A large room takes several
-- steps: each row is compared with its entries in one of them, and the
-- counters with the sizes of the indexes in another.

local prefix = string.sub(KEYS[1], 1, -7)
local fix = ARGV[1] == 'fix'
local call = redis.call
local out = {'ok'}
local budget = 4000

local RANK = 2 ^ 44          -- above any position
local DAY = 86400000         -- ms that an answer is kept
local HISTORY = 10000        -- positions of what was before a replica

local function key(...) return prefix .. table.concat({...}) end
local function say(...) out[#out + 1] = table.concat({...}) end

local function found(text, ...)
  say('found ', text)
  if fix then
    for _, command in ipairs({...}) do call(unpack(command)) end
  end
end

local function hash(k)
  local flat, h = call('HGETALL', k), {}
  for i = 1, #flat, 2 do h[flat[i]] = flat[i + 1] end
  return h
end

local function decode(json)
  local ok, value = pcall(cjson.decode, json or 'null')
  return ok and type(value) == 'table' and value or nil
end

local function given(value)
  if value == nil or value == cjson.null then return nil end
  return value
end

-- A zset's entry: wanted at a score, or (nil) not at all.  Returns what the
-- entry of the store is, if nothing is mended, and 0 or 1 for "it is missing".
local function entry(name, k, member, want)
  local is = call('ZSCORE', k, member)
  if want == nil then
    if is then
      found(name .. ' lists ' .. member, {'ZREM', k, member})
      return fix and 0 or -1
    end
  elseif not is then
    found(name .. ' lacks ' .. member, {'ZADD', k, want, member})
    return fix and 0 or 1
  elseif tonumber(is) ~= tonumber(want) then
    found(name .. ' has ' .. member .. ' at ' .. is .. ' instead of ' .. want,
          {'ZADD', k, want, member})
  end
  return 0
end

-- An entry of the list of rooms of a participant.  Workers keep the list, and
-- read it again if its version changes.
local function room_of(who, id, want)
  local k = key('p:', who, ':rooms')
  local is = call('ZSCORE', k, id) and true or false
  entry('rooms of ' .. who, k, id, want)
  if fix and is ~= (want ~= nil) then
    call('ZREM', key('p:', who, ':news'), 'list')
  end
end

-- A hash's field: wanted with a value, or (nil) not at all.
local function field(name, k, f, want)
  local is = call('HGET', k, f) or nil
  if is == want then return end
  if want == nil then
    found(name .. ' has ' .. f .. ' = ' .. is, {'HDEL', k, f})
  else
    found(name .. ' has ' .. f .. ' = ' .. (is or 'nothing')
          .. ' instead of ' .. want, {'HSET', k, f, want})
  end
end

-- Pages of HSCAN, ZSCAN: calls f for each pair; true once all were seen.
local function scan(command, k, s, f)
  local page = call(command, k, s.cursor, 'COUNT', 200)
  for i = 1, #page[2], 2 do f(page[2][i], page[2][i + 1]) end
  budget = budget - 2 * #page[2] - 10
  s.cursor = page[1]
  return page[1] == '0'
end

local function foreign(id)
  local server = string.match(id, '^@[^:]*:(.+)$')
  if not server then return nil end
  local p = decode(call('HGET', key('participants'), id) or nil)
  return (not p or given(p.server_name)) and server or nil
end


local function now()
  local t = call('TIME')
  return t[1] .. string.format('%03d', math.floor(t[2] / 1000))
end


-- The position that the clock gave when a room's id was made; 0 for an id of
-- another form.
local function id_position(id)
  local digits = string.match(id, '^room%-(' .. string.rep('[%da-z]', 10) .. ')')
  local ms = 0
  for digit in string.gmatch(digits or '', '.') do
    local at = string.find('0123456789abcdefghjkmnpqrstvwxyz', digit, 1, true)
    if not at then return 0 end
    ms = ms * 32 + at - 1
  end
  return math.max(0, math.min((ms - 1577836800000) * 8, 2 ^ 44 - 2 ^ 41))
end


-- Rooms

local function row(r, who)
  local text = call('HGET', r.key .. ':members', who)
  if not text then return nil end
  local m, power, pos, n = string.match(text,
                                        '^(%l+) (%d+) %d+ (%d+) ?(%d*)$')
  return m, tonumber(power), tonumber(pos), tonumber(n)
end

local function open_room(id)
  local k = key('r:', id)
  local h = hash(k)
  if not h.meta then return nil end
  local words = {}
  for w in string.gmatch(h.meta, '%S+') do words[#words + 1] = w end
  return {id = id, key = k, h = h, name = 'room ' .. id,
          type = words[1], incognito = words[2] == 'incognito',
          public = words[3] == '1', pair = words[7] and
                                           words[7] .. ' ' .. words[8],
          made_elsewhere = words[1] == 'sidekick' or words[1] == 'bridge',
          -- its creator may have left it: then nothing said is kept
          wiped = words[2] == 'incognito' and h.state == 'closed'}
end

-- A row of an event: see rooms_stored.h.
local function parse_words(row)
  local id, kind, sender, rest = string.match(row or '',
                                       '^(%x+) (%S+) (%S+) %d+ (.+)$')
  if not id or #id ~= 29 then return nil end
  local e = {id = 'evt-' .. id, type = kind, sender = sender}
  local at = 1
  for _ = 1, 8 do
    if string.sub(rest, at, at) == '{' then
      return e, string.sub(rest, at)
    end
    local word = string.match(rest, '^%S+ ', at)
    if not word then return nil end
    at = at + #word
    word = string.sub(word, 1, -2)
    e.number = e.number or tonumber(string.match(word, '^n(%d+)$'))
    e.edited = e.edited or string.match(word, '^e%d')
    e.redacted = e.redacted or string.match(word, '^r%d')
    e.origin_id = e.origin_id or string.match(word, '^i(.+)$')
    e.origin_server = e.origin_server or string.match(word, '^s(.+)$')
    e.unlisted = word == 'x'
  end
  return nil
end

-- The event at a position, if it has this id, without its content.
local function event_at(r, at, id)
  if not at then return nil end
  local n = string.format('%.0f', at)
  local e = parse_words(call('ZRANGEBYSCORE', r.key .. ':events', n, n)[1])
  return e and (not id or e.id == id) and e or nil
end

-- A marker has the number of messages up to its event.
local function marker(r, who)
  local f = 'read ' .. who
  local had = call('HGET', r.key .. ':own', f)
  if not had then return end
  local at, id, n = string.match(had, '^(%d+) (%S+) ?(%d*)$')
  if not n then
    say('broken ', r.name, ': the read marker of ', who, ' is unreadable')
    return
  end
  local read = event_at(r, tonumber(at), id)
  if read and read.number and read.number ~= tonumber(n) then
    field(r.name .. ': own', r.key .. ':own', f,
          string.format('%s %s %d', at, id, read.number))
  end
  budget = budget - 5
end

-- A row has the number of messages up to the join.
local function joined_at(r, who, at, number)
  local join = event_at(r, at)
  if join and (join.number or 0) ~= (number or 0) then
    local had = call('HGET', r.key .. ':members', who)
    field(r.name .. ': members', r.key .. ':members', who,
          string.match(had, '^%l+ %d+ %d+ %d+') .. ' ' .. (join.number or 0))
  end
  budget = budget - 5
end

local function member(r, s, who)
  local m, power, pos, number = row(r, who)
  if not m then
    if call('HEXISTS', r.key .. ':members', who) == 1 then
      say('broken ', r.name, ': the row of ', who, ' is unreadable')
    end
    return
  end
  local joined, listed = m == 'join', m == 'join' or m == 'invite'
  local rank = joined and string.format('%.0f', (power + 1) * RANK - pos)
  local had = tonumber(call('ZSCORE', r.key .. ':order', who) or 0)
  s.list = s.list + entry(r.name .. ': list', r.key .. ':list', who,
                          listed and '0' or nil)
  s.order = s.order + entry(r.name .. ': order', r.key .. ':order', who,
                            rank or nil)
  if not fix then
    s.admins = s.admins + (joined and power >= 100 and 1 or 0)
                        - (had > 100 * RANK and 1 or 0)
  end
  entry(r.name .. ': bans', r.key .. ':bans', who, m == 'ban' and '0' or nil)
  if listed then
    room_of(who, r.id, '0')
    entry('kinds of ' .. who, key('p:', who, ':kinds'),
          r.type .. ' ' .. r.id, '0')
    entry('kinds of ' .. who, key('p:', who, ':kinds'), 'invite ' .. r.id,
          m == 'invite' and '0' or nil)
    if pos > 0 and not r.made_elsewhere then
      local news = call('ZSCORE', key('p:', who, ':news'), 'm ' .. r.id)
      if tonumber(news or 0) < pos then
        entry('news of ' .. who, key('p:', who, ':news'), 'm ' .. r.id,
              string.format('%.0f', pos))
      end
    end
  end
  if joined and not r.wiped then
    marker(r, who)
    if not r.made_elsewhere then joined_at(r, who, pos, number) end
  end
  budget = budget - 10
end

-- An index's entries each need a row of such a membership.
local function backed(index, allowed, counted)
  return function(r, s)
    return scan('ZSCAN', r.key .. ':' .. index, s, function(who, score)
      local m = row(r, who)
      if not m or not allowed[m] then
        local n = entry(r.name .. ': ' .. index, r.key .. ':' .. index, who)
        if not m and counted then
          -- those with a row were counted with it
          s[counted] = s[counted] + n
          if counted == 'order' and n < 0 and tonumber(score) > 100 * RANK
          then
            s.admins = s.admins - 1
          end
        end
      end
    end)
  end
end

local function parse_row(row)
  local e, rest = parse_words(row)
  if not e then return nil end
  e.content = decode(string.match(rest, '^[^\n]+'))
  e.original = decode(string.match(rest, '\n(.+)$'))
  return e.content and e or nil
end

-- The event of an id, which tells its position.
local function parse_event(r, id)
  local at = string.match(id, '^evt%-%x+$')
             and tonumber(string.sub(id, 5, 17), 16)
  return event_at(r, at, id)
end

-- Whether an event is one message more: true, false, or nil where its text
-- doesn't say (an edit's looks like a message with the same words, and nothing
-- is left of one that was redacted).
local function counts(r, e, at)
  if e.type ~= 'message' then return false end
  if e.unlisted and not r.incognito then return false end
  local low = tonumber(string.match(r.h.history or '', '^%d+'))
  if r.h.origin and low and at >= low and at < low + HISTORY then
    return false
  end
  if e.redacted or e.content.replaces ~= nil then return nil end
  return true
end

-- Messages are numbered in their order, and an event has the number of those
-- up to it.  The room may be older than this counting: then its first messages
-- have none.
local function numbered(r, s, e, at)
  local n, more = e.number or s.messages, counts(r, e, at)
  if r.made_elsewhere then return end
  if e.number == nil and (more ~= true or s.messages == 0) then return end
  if n ~= s.messages + (more and 1 or 0)
     and not (more == nil and n == s.messages + 1)
  then
    say('broken ', r.name, ': the number of ', e.id, ' isn\'t ',
        s.messages + (more and 1 or 0))
  end
  if e.redacted and e.type == 'message' and n == s.messages + 1 then
    entry(r.name .. ': redacted', r.key .. ':redacted',
          string.sub(e.id, 5, 17), string.format('%.0f', at))
    s.redacted = at
  end
  s.messages = math.max(n, s.messages)
end

-- What leads to an event: its name on its own server, the message whose body
-- an edit has, and who wrote what was imported.
local function references(r, e)
  local server, name = e.origin_server, e.origin_id
  if server and name then
    local f = ' ' .. server .. ' ' .. name
    if call('HEXISTS', r.key .. ':uuids', f) == 0 then
      field(r.name .. ': uuids', r.key .. ':uuids', f, e.id)
    end
  end
  local first = e.content.replaces
  if type(first) == 'string' and type(e.content.content) == 'table'
     and e.type == 'message' and not e.redacted
  then
    local m = parse_event(r, first)
    local list = call('HGET', r.key .. ':copies', first) or ''
    if m and m.sender == e.sender and m.edited
       and not m.redacted and not string.find(list, e.id, 1, true)
    then
      field(r.name .. ': copies', r.key .. ':copies', first,
            list == '' and e.id or list .. ' ' .. e.id)
    end
    budget = budget - 5
  end
  for _, c in ipairs({e.content, e.original}) do
    local n = c._imported_sender
    if type(n) == 'number' then
      n = string.format('%d', n)
      if call('HEXISTS', r.key .. ':authors', n) == 0 then
        say('broken ', r.name, ': authors lacks ', n)
      end
    end
  end
end

-- All reactions to one event: rows, the list of its emojis, and their counts;
-- a name is one of the counts.
local function reactions(r, id, name)
  local e = parse_event(r, id)
  local alive = e and not e.redacted
  local imported = e and e.unlisted and not r.incognito
  local first, last = '[' .. id .. ' ', '(' .. id .. '!'
  local rows = call('ZRANGEBYLEX', r.key .. ':reactions', first, last)
  local own, names = {}, {}
  for _, text in ipairs(rows) do
    local ev, emoji = string.match(text, '^(%S+) %S+ (.+)$')
    if not ev or not alive then
      entry(r.name .. ': reactions', r.key .. ':reactions', text)
    else
      local n = ev .. ' ' .. emoji
      own[n] = (own[n] or 0) + 1
      names[n] = true
    end
  end
  for _, n in ipairs(call('ZRANGEBYLEX', r.key .. ':tally', first, last)) do
    names[n] = true
  end
  if name then names[name] = true end
  for n in pairs(names) do
    local is = -tonumber(call('HGET', r.key .. ':counts', n) or 0)
    local want = alive and (own[n] or 0) or 0
    -- imported ones only count
    if imported and alive then want = math.max(want, is) end
    entry(r.name .. ': tally', r.key .. ':tally', n, want > 0 and '0' or nil)
    field(r.name .. ': counts', r.key .. ':counts', n,
          want > 0 and string.format('%d', -want) or nil)
  end
  budget = budget - 20 - #rows
end

local function has_entries(r, zset, id)
  return call('ZLEXCOUNT', r.key .. zset, '[' .. id .. ' ',
              '(' .. id .. '!') > 0
end

-- One event after the other of a zset of "event ...", save those that have
-- entries in another one, which was looked at before.
local function each_event(zset, before)
  return function(r, s)
    local from = s.cursor == '0' and '-' or '(' .. s.cursor .. '!'
    local text = call('ZRANGEBYLEX', r.key .. zset, from, '+',
                      'LIMIT', 0, 1)[1]
    local id = text and string.match(text, '^%S+')
    if not id then return true end
    if not before or not has_entries(r, before, id) then
      reactions(r, id)
    end
    s.cursor = id
    budget = budget - 5
    return false
  end
end

local function sorted_names(t)
  local names = {}
  for server in pairs(t) do names[#names + 1] = server end
  table.sort(names)
  return names
end

local function peers_read(text)
  local t = {}
  for server, n in string.gmatch(text or '', '(%S+)=(%d+)') do
    t[server] = tonumber(n)
  end
  return t
end

local function same(a, b)
  for k, v in pairs(a) do if b[k] ~= v then return false end end
  for k, v in pairs(b) do if a[k] ~= v then return false end end
  return true
end

local function peers_format(t)
  local words = {}
  for _, server in ipairs(sorted_names(t)) do
    words[#words + 1] = server .. '=' .. string.format('%d', t[server])
  end
  return #words > 0 and table.concat(words, ' ') or nil
end

-- The index that has the words of a room, while it is open.
local function words_index(r)
  return r.public and 'words:rooms'
         or not r.made_elsewhere and 'words:private' or nil
end

-- Only the module makes words of a text, so a missing list is only reported.
local function unlisted_words(r, index)
  if not index or r.h.state ~= 'open' then return end
  for f, text in pairs({words = r.h.name or r.h.alias,
                        topic_words = r.h.topic}) do
    if not r.h[f] and string.find(text or '', '%w') then
      say('broken ', r.name, ': no words of its ',
          f == 'words' and 'name' or 'topic', ' are listed')
    end
  end
end

local room_phases = {
  function(r, s)                                          -- rows
    return scan('HSCAN', r.key .. ':members', s, function(who)
      member(r, s, who)
    end)
  end,
  backed('list', {join = true, invite = true}, 'list'),
  backed('order', {join = true}, 'order'),
  backed('bans', {ban = true}),
  function(r, s)                                          -- settings
    return scan('HSCAN', r.key .. ':own', s, function(f)
      local who = string.match(f, '^%l+ (.+)$')
      if not who or row(r, who) ~= 'join' then
        field(r.name .. ': own', r.key .. ':own', f)
      end
    end)
  end,
  function(r, s)                                          -- counters
    local joined = call('ZCARD', r.key .. ':order') + s.order
    local listed = call('ZCARD', r.key .. ':list') + s.list
    local admins = call('ZCOUNT', r.key .. ':order',
                        string.format('(%.0f', 100 * RANK), '+inf')
                   + s.admins
    for f, n in pairs({joined = joined, invited = listed - joined,
                       admins = admins}) do
      if tonumber(r.h[f] or 0) ~= n then
        field(r.name, r.key, f, string.format('%d', n))
      end
    end
    return true
  end,
  function(r)                                             -- other servers
    local peers, guests = {}, {}
    local ids = call('ZRANGEBYLEX', r.key .. ':list', '[@', '(A')
    for _, who in ipairs(ids) do
      local server = foreign(who)
      if server then
        peers[server] = (peers[server] or 0) + 1
        if row(r, who) == 'invite' then
          guests[server] = (guests[server] or 0) + 1
        end
      end
    end
    if not same(peers, peers_read(r.h.peers)) then
      field(r.name, r.key, 'peers', peers_format(peers))
    end
    if not same(guests, peers_read(r.h.guests)) then
      field(r.name, r.key, 'guests', peers_format(guests))
    end
    if r.h.origin and r.h.federated then
      peers[r.h.origin] = peers[r.h.origin] or 0
    end
    for server in pairs(peers) do
      entry('rooms of server ' .. server, key('peers:', server, ':rooms'),
            r.id, r.h.origin and '1' or '0')
      entry('servers', key('peers:servers'), server, '0')
    end
    budget = budget - 20 - 3 * #ids
    return true
  end,
  function(r)                                             -- indexes of rooms
    local open, closed = r.h.state == 'open', r.h.state == 'closed'
    if r.h.alias then
      field('aliases', key('aliases'), r.h.alias, not closed and r.id or nil)
    end
    if r.pair then
      if not closed then
        field('dms', key('dms'), r.pair, r.id)
      elseif call('HGET', key('dms'), r.pair) == r.id then
        field('dms', key('dms'), r.pair)
      end
    end
    local found_by = r.public and open
    entry('public', key('public'), r.id, found_by and '0' or nil)
    entry('words:rooms', key('words:rooms'), '*' .. r.type .. ' ' .. r.id,
          found_by and '0' or nil)
    local index = words_index(r)
    for f, mark in pairs({words = '', topic_words = '~'}) do
      for word in string.gmatch(index and r.h[f] or '', '[^ ]+') do
        entry(index, key(index), word .. ' ' .. r.id .. mark,
              open and '0' or nil)
        budget = budget - 1
      end
    end
    unlisted_words(r, index)
    if r.h.workspace then
      entry('rooms of workspace ' .. r.h.workspace,
            key('w:', r.h.workspace, ':rooms'), r.id, open and '0' or nil)
    end
    local heir = r.h.last_member
    if heir and tonumber(r.h.joined or 0) == 0 then
      room_of(heir, r.id, '0')
    end
    local last = call('ZREVRANGE', r.key .. ':events', 0, 0, 'WITHSCORES')
    if last[2] then
      local at = string.format('%.0f', tonumber(last[2]))
      if not r.made_elsewhere or tonumber(r.h.position or 0) < tonumber(at)
      then
        field(r.name, r.key, 'position', at)
      end
      entry('active', key('active'), r.id, at)
    end
    -- readers take the time of the id for a bound of the events' positions
    local first = call('ZRANGE', r.key .. ':events', 0, 0, 'WITHSCORES')[2]
    local low = string.match(r.h.history or '', '^%d+')
    local lowest = math.min(tonumber(first or RANK), tonumber(low or RANK))
    if lowest < id_position(r.id) then
      entry('early', key('early'), r.id, '0')
    end
    budget = budget - 20
    return true
  end,
  function(r, s)                                          -- events
    local page = call('ZRANGEBYSCORE', r.key .. ':events', '(' .. s.cursor,
                      '+inf', 'WITHSCORES', 'LIMIT', 0, 40)
    for i = 1, #page, 2 do
      local e, at = parse_row(page[i]), tonumber(page[i + 1])
      s.big = math.max(s.big, #page[i])
      budget = budget - 5 - #page[i] / 100
      s.cursor = string.format('%.0f', at)
      if not e then
        say('broken ', r.name, ': the event at ', s.cursor,
            ' is unreadable')
      elseif not r.wiped then
        references(r, e)
        numbered(r, s, e, at)
      end
    end
    if #page > 0 then return false end
    local big = 1024
    while big < s.big do big = big * 2 end
    if tonumber(r.h.big or 1024) < big then
      field(r.name, r.key, 'big', string.format('%d', big))
    end
    if not r.made_elsewhere and not r.wiped
       and tonumber(r.h.messages or 0) ~= s.messages
    then
      field(r.name, r.key, 'messages', string.format('%d', s.messages))
    end
    local redacted = tonumber(r.h.redacted or 0)
    if not redacted or redacted < s.redacted or redacted > 2^44 then
      field(r.name, r.key, 'redacted',
            s.redacted > 0 and string.format('%.0f', s.redacted) or nil)
    end
    return true
  end,
  function(r, s)                                          -- redacted messages
    return scan('ZSCAN', r.key .. ':redacted', s, function(name)
      local e = event_at(r, #name == 13 and tonumber(name, 16))
      if not e or not e.redacted or not e.number then
        entry(r.name .. ': redacted', r.key .. ':redacted', name)
      end
      budget = budget - 5
    end)
  end,
  function(r, s)                                          -- names of events
    return scan('HSCAN', r.key .. ':uuids', s, function(f, id)
      -- with a space: what another server told may be no event of the room
      if string.sub(f, 1, 1) ~= ' ' and not parse_event(r, id) then
        field(r.name .. ': uuids', r.key .. ':uuids', f)
      end
      budget = budget - 5
    end)
  end,
  function(r, s)                                          -- copies of bodies
    return scan('HSCAN', r.key .. ':copies', s, function(f)
      -- with a space: of a message that isn't here yet
      local e = string.sub(f, 1, 1) ~= ' ' and parse_event(r, f)
      if e == nil or e and e.redacted then
        field(r.name .. ': copies', r.key .. ':copies', f)
      end
      budget = budget - 5
    end)
  end,
  function(r, s)                                          -- authors
    return scan('HSCAN', r.key .. ':authors', s, function(f, json)
      if not decode(json) then
        say('broken ', r.name, ': authors has an unreadable row ', f)
      end
    end)
  end,
  each_event(':tally'),
  each_event(':reactions', ':tally'),
  function(r, s)                                          -- counts alone
    return scan('HSCAN', r.key .. ':counts', s, function(f)
      if not call('ZSCORE', r.key .. ':tally', f) then
        reactions(r, string.match(f, '^%S+') or f, f)
      end
    end)
  end,
  function(r)                                             -- where it counts
    local place = 'tenant'
    if r.h.state == 'closed' then
      place = 'none'
    elseif r.h.unaccepted then
      local total = 0
      for _, n in pairs(peers_read(r.h.peers)) do total = total + n end
      local ours = tonumber(r.h.joined or 0) + tonumber(r.h.invited or 0)
                   - total
      place = ours > 0 and r.h.origin or 'none'
    end
    say('room ', r.id, ' ', place)
    return true
  end,
}


-- Participants: lists that lead to rooms and workspaces

local function open_person(id)
  return {id = id, key = key('p:', id, ':')}
end

local person_phases = {
  function(p, s)
    return scan('ZSCAN', p.key .. 'rooms', s, function(id)
      local r = open_room(id)
      local m = r and row(r, p.id)
      if m ~= 'join' and m ~= 'invite'
         and not (r and r.h.last_member == p.id
                  and tonumber(r.h.joined or 0) == 0)
      then
        room_of(p.id, id)
      end
      budget = budget - 5
    end)
  end,
  function(p, s)
    return scan('ZSCAN', p.key .. 'kinds', s, function(text)
      local kind, id = string.match(text, '^(%S+) (%S+)$')
      local r = id and open_room(id)
      local m = r and row(r, p.id)
      if not (m == 'join' or m == 'invite')
         or kind ~= r.type and not (kind == 'invite' and m == 'invite')
      then
        entry('kinds of ' .. p.id, p.key .. 'kinds', text)
      end
      budget = budget - 5
    end)
  end,
  function(p, s)
    return scan('ZSCAN', p.key .. 'workspaces', s, function(id)
      -- what a deleted one leaves behind is shown to nobody
      if call('EXISTS', key('w:', id)) == 1
         and call('HEXISTS', key('w:', id, ':members'), p.id) == 0
      then
        entry('workspaces of ' .. p.id, p.key .. 'workspaces', id)
      end
    end)
  end,
  function(p, s)
    -- the version of the list of rooms isn't older than what changed it
    local version = tonumber(call('ZSCORE', p.key .. 'news', 'list') or nil)
    return scan('ZSCAN', p.key .. 'news', s, function(name, at)
      if version and version < tonumber(at) and name:sub(1, 2) == 'm ' then
        entry('news of ' .. p.id, p.key .. 'news', 'list')
        version = nil
      end
      local id = string.match(name, '^r (.+)$')
      if id and call('HEXISTS', p.key .. 'markers', id) == 0 then
        entry('news of ' .. p.id, p.key .. 'news', name)
      end
    end)
  end,
  function(p, s)
    return scan('HSCAN', p.key .. 'markers', s, function(id, text)
      local e = parse_row(text)
      if e then
        entry('news of ' .. p.id, p.key .. 'news', 'r ' .. id,
              string.format('%.0f', tonumber(string.sub(e.id, 5, 17), 16)))
      end
    end)
  end,
  function(p)
    local last = call('ZREVRANGE', p.key .. 'news', 0, 0, 'WITHSCORES')
    -- more may concern them than what is in the list: that they are let go
    if last[2] and tonumber(call('ZSCORE', key('active'), ' ' .. p.id) or 0)
                   < tonumber(last[2])
    then
      entry('active', key('active'), ' ' .. p.id,
            string.format('%.0f', tonumber(last[2])))
    end
    -- who was deactivated, or is erased, and isn't done yet
    local off = hash(p.key .. 'offboard')
    local waits = off.at and (not off.left_at
                              or off.erase_at and not off.erased_at)
    if waits and not call('ZSCORE', key('offboard'), p.id)
       or off.at and not waits
    then
      entry('offboard', key('offboard'), p.id, waits and now() or nil)
    end
    budget = budget - 10
    return true
  end,
}


-- Workspaces

local workspace_phases = {
  function(w, s)
    return scan('HSCAN', w.key .. ':members', s, function(who)
      entry(w.name .. ': list', w.key .. ':list', who, '0')
      entry('workspaces of ' .. who, key('p:', who, ':workspaces'), w.id,
            '0')
    end)
  end,
  function(w, s)
    return scan('ZSCAN', w.key .. ':list', s, function(who)
      if call('HEXISTS', w.key .. ':members', who) == 0 then
        entry(w.name .. ': list', w.key .. ':list', who)
      end
    end)
  end,
  function(w, s)
    return scan('ZSCAN', w.key .. ':rooms', s, function(id)
      local r = open_room(id)
      if not r or r.h.state ~= 'open' or r.h.workspace ~= w.id then
        entry('rooms of workspace ' .. w.id, w.key .. ':rooms', id)
      end
    end)
  end,
  function(w, s)
    return scan('HSCAN', w.key .. ':members', s, function(_, role)
      if role == 'owner' then s.owners = s.owners + 1 end
    end)
  end,
  function(w, s)
    -- pages saw it at several moments: only if they differ, all at one
    budget = budget - 5
    if call('EXISTS', w.key) == 1
       and call('HGET', w.key, 'owners') ~= string.format('%d', s.owners)
    then
      local owners, roles = 0, call('HVALS', w.key .. ':members')
      for _, role in ipairs(roles) do
        if role == 'owner' then owners = owners + 1 end
      end
      field(w.name, w.key, 'owners', string.format('%d', owners))
      budget = budget - #roles
    end
    return true
  end,
}


-- Other servers

local peer_phases = {
  function(p, s)
    return scan('ZSCAN', p.key, s, function(id)
      local r = open_room(id)
      if not r or not (peers_read(r.h.peers)[p.id]
                       or r.h.origin == p.id and r.h.federated)
      then
        entry('rooms of server ' .. p.id, p.key, id)
      end
    end)
  end,
}


-- The tenant as a whole

local function known_peer(server)
  entry('names of servers', key('peers:names'), server, '0')
end

-- The entries of an index of rooms each follow from an open room of it.
local function words_phase(index)
  return function(t, s)
    return scan('ZSCAN', key(index), s, function(text)
      local word, id, mark = string.match(text, '^(.-) ([^ ~]+)(~?)$')
      local r = id and open_room(id)
      local list = r and r.h[mark == '' and 'words' or 'topic_words'] or ''
      local of_type = index == 'words:rooms' and string.sub(word, 1, 1) == '*'
      if not r or words_index(r) ~= index or r.h.state ~= 'open'
         or not of_type
            and not string.find(' ' .. list .. ' ', ' ' .. word .. ' ', 1,
                                true)
      then
        entry(index, key(index), text)
      end
      budget = budget - 5
    end)
  end
end

local tenant_phases = {
  function(t, s)
    return scan('HSCAN', key('participants'), s, function(id, json)
      local p = decode(json)
      local taken = p and given(p.local_id)
                    and call('HGET', key('locals'), p.local_id)
      if not p or not given(p.local_id) then
        say('broken participants: the row of ', id, ' is unreadable')
      elseif not given(p.server_name) and taken ~= id then
        local other = taken and decode(call('HGET', key('participants'),
                                            taken) or nil)
        if other and other.local_id == p.local_id then
          say('broken locals: ', id, ' and ', taken, ' are both ',
              p.local_id)
        else
          field('locals', key('locals'), p.local_id, id)
        end
      end
      if p and p.deactivated == true
         and call('HEXISTS', key('deactivated'), id) == 0
      then
        field('deactivated', key('deactivated'), id,
              call('HGET', key('p:', id, ':offboard'), 'at') or now())
      end
    end)
  end,
  function(t, s)
    return scan('HSCAN', key('locals'), s, function(name, id)
      local p = decode(call('HGET', key('participants'), id) or nil)
      if not p or p.local_id ~= name then
        field('locals', key('locals'), name)
      end
    end)
  end,
  function(t, s)
    return scan('HSCAN', key('deactivated'), s, function(id)
      local p = decode(call('HGET', key('participants'), id) or nil)
      if not p then
        field('deactivated', key('deactivated'), id)
      elseif p.deactivated ~= true then
        -- who may do nothing is not let in by a tool
        say('broken deactivated: ', id, ' is, and the row says otherwise: ',
            'deactivate them again')
      end
    end)
  end,
  function(t, s)
    local today = math.floor(tonumber(now()) / DAY)
    return scan('HSCAN', key('seen'), s, function(id, day)
      if call('HEXISTS', key('participants'), id) == 0 then
        field('seen', key('seen'), id)
      elseif not tonumber(day) or tonumber(day) > today + 1 then
        field('seen', key('seen'), id, string.format('%d', today))
      end
    end)
  end,
  function(t, s)
    return scan('ZSCAN', key('words:people'), s, function(text)
      local id = string.match(text, '([^ ]+)$')
      if not id or call('HEXISTS', key('participants'), id) == 0 then
        entry('words:people', key('words:people'), text)
      end
    end)
  end,
  words_phase('words:rooms'),
  words_phase('words:private'),
  function(t, s)
    return scan('ZSCAN', key('offboard'), s, function(id)
      if call('HEXISTS', key('p:', id, ':offboard'), 'at') == 0 then
        entry('offboard', key('offboard'), id)
      end
    end)
  end,
  function(t, s)
    return scan('HSCAN', key('aliases'), s, function(name, id)
      local r = open_room(id)
      if not r or r.h.alias ~= name or r.h.state == 'closed' then
        field('aliases', key('aliases'), name)
      end
    end)
  end,
  function(t, s)
    return scan('HSCAN', key('dms'), s, function(pair, id)
      local r = open_room(id)
      if not r or r.pair ~= pair or r.h.state == 'closed' then
        field('dms', key('dms'), pair)
      end
    end)
  end,
  function(t, s)
    return scan('ZSCAN', key('public'), s, function(id)
      local r = open_room(id)
      if not r or not r.public or r.h.state ~= 'open' then
        entry('public', key('public'), id)
      end
    end)
  end,
  function(t, s)
    return scan('ZSCAN', key('active'), s, function(name)
      local who = string.match(name, '^ (.+)$')
      if who and call('EXISTS', key('p:', who, ':news')) == 0
             and call('HEXISTS', key('participants'), who) == 0
         or not who and call('EXISTS', key('r:', name)) == 0
      then
        entry('active', key('active'), name)
      end
    end)
  end,
  function(t, s)
    return scan('ZSCAN', key('early'), s, function(id)
      if call('EXISTS', key('r:', id)) == 0 then
        entry('early', key('early'), id)
      end
    end)
  end,
  function(t, s) return scan('HSCAN', key('peers'), s, known_peer) end,
  function(t, s) return scan('HSCAN', key('peers:errors'), s, known_peer) end,
  function(t, s) return scan('ZSCAN', key('peers:servers'), s, known_peer) end,
  function(t, s)
    return scan('ZSCAN', key('outboxes'), s, function(server)
      if call('EXISTS', key('outbox:', server)) == 0 then
        entry('outboxes', key('outboxes'), server)
      else
        known_peer(server)
      end
    end)
  end,
  function(t, s)
    -- those of a day ago are shed by and by
    return scan('ZSCAN', key('answers'), s, function(id, at)
      if tonumber(at) > tonumber(now()) - DAY + 60000
         and call('EXISTS', key('idem:', id)) == 0
      then
        entry('answers', key('answers'), id)
      end
    end)
  end,
  function(t, s)
    return scan('ZSCAN', key('imports'), s, function(id)
      if call('EXISTS', key('r:', id, ':media')) == 0 then
        entry('imports', key('imports'), id)
      end
    end)
  end,
  function()
    local last = call('ZREVRANGE', key('active'), 0, 0, 'WITHSCORES')
    local is = tonumber(call('GET', key('position')) or 0)
    if last[2] and tonumber(last[2]) > is then
      found(string.format('position is %.0f, and there is an event at %.0f',
                          is, tonumber(last[2])),
            {'SET', key('position'),
             string.format('%.0f', tonumber(last[2]))})
    end
    return true
  end,
}

local outbox_phases = {
  function(o)
    if not call('ZSCORE', key('outboxes'), o.id)
       and call('EXISTS', key('outbox:', o.id)) == 1
    then
      entry('outboxes', key('outboxes'), o.id, '0')
    end
    budget = budget - 5
    return true
  end,
}

local journal_phases = {
  function(j)
    if call('EXISTS', key('r:', j.id, ':media')) == 1
       and not call('ZSCORE', key('imports'), j.id)
    then
      entry('imports', key('imports'), j.id, now())
    end
    budget = budget - 5
    return true
  end,
}

-- An answer that is kept for an Idempotency-Key; 'p' is none yet.
local answer_phases = {
  function(a)
    local text = call('GET', key('idem:', a.id))
    local left = text and call('PTTL', key('idem:', a.id)) or -1
    if text and string.sub(text, 1, 1) ~= 'p' and left > 0
       and not call('ZSCORE', key('answers'), a.id)
    then
      entry('answers', key('answers'), a.id,
            string.format('%.0f', tonumber(now()) - DAY + left))
    end
    budget = budget - 5
    return true
  end,
}

local kinds = {
  room = {open_room, room_phases},
  person = {open_person, person_phases},
  workspace = {function(id)
    return {id = id, key = key('w:', id), name = 'workspace ' .. id}
  end, workspace_phases},
  peer = {function(id)
    return {id = id, key = key('peers:', id, ':rooms')}
  end, peer_phases},
  outbox = {function(id) return {id = id} end, outbox_phases},
  answer = {function(id) return {id = id} end, answer_phases},
  journal = {function(id) return {id = id} end, journal_phases},
  tenant = {function() return {} end, tenant_phases},
}

local numbers = {'list', 'order', 'admins', 'big', 'owners', 'messages',
                 'redacted'}

local function resume(text)
  local words = {}
  for w in string.gmatch(text, '%S+') do words[#words + 1] = w end
  local s = {phase = tonumber(words[1]) or 1, cursor = words[2] or '0'}
  for i, name in ipairs(numbers) do s[name] = tonumber(words[i + 2]) or 0 end
  return s
end

for i = 3, #ARGV do
  local kind, id = string.match(ARGV[i], '^(%l+) ?(.*)$')
  local s = resume(i == 3 and ARGV[2] or '-')
  local thing = kinds[kind][1](id)
  local phases = kinds[kind][2]
  while thing and s.phase <= #phases do
    if budget <= 0 then
      local words = {string.format('%d', s.phase), s.cursor}
      for _, name in ipairs(numbers) do
        words[#words + 1] = string.format('%d', s[name])
      end
      say('next ', string.format('%d', i - 2), ' ', table.concat(words, ' '))
      return out
    end
    if phases[s.phase](thing, s) then
      s.phase = s.phase + 1
      s.cursor = '0'
    end
  end
end

return out
