-- imapfilter; server.lua beside the working directory has the table `server`.
dofile('server.lua')
options.timeout = 30
options.create = true
options.subscribe = true
options.charset = 'UTF-8'
options.info = false

local failures = 0
local function expect(what, got, wanted)
  if tostring(got) == tostring(wanted) then return end
  failures = failures + 1
  io.stderr:write(what, ': got ', tostring(got), ', wanted ', tostring(wanted), '\n')
end

local account = IMAP { server = server.host, port = server.port, username = server.user, password = server.password, ssl = 'auto' }
account:create_mailbox('Filter')
local box = account['Filter']
local lunch = 'From: a@beta.test\r\nSubject: Lunch\r\nX-A: b\r\nDate: Tue, 3 Nov 2020 10:00:00 +0000\r\n\r\nNoon today\r\n'
expect('append', box:append_message(lunch, { '\\Seen', 'kw' }, ' 3-Nov-2020 10:00:00 +0000'), true)
expect('append', box:append_message('From: c@beta.test\r\nSubject: Dinner\r\n\r\nEvening\r\n'), true)
expect('append', box:append_message('From: c@beta.test\r\nSubject: Gone\r\n\r\nThird\r\n'), true)
local exist, _, unseen, uidnext = box:check_status()
expect('status', exist .. ' ' .. unseen .. ' ' .. uidnext, '3 2 4')
expect('seen', #box:is_seen(), 1)
expect('keyword', #box:has_keyword('kw'), 1)
expect('subject', #box:contain_subject('lunch'), 1)
expect('body', #box:contain_body('even'), 1)
expect('field', #box:contain_field('X-A', 'B'), 1)
expect('by pattern', #box:match_subject('^(Lun|Din)'), 2)
expect('size', #box:is_larger(10), 3)
expect('date', #box:arrived_before('04-Nov-2020'), 1)
expect('and', #(box:is_unseen() * box:contain_from('c@beta')), 2)
expect('but', #(box:select_all() - box:contain_from('c@beta')), 1)
expect('or', #(box:is_seen() + box:contain_subject('Gone')), 2)
local message = box[1]
expect('whole', message:fetch_message(), lunch)
expect('header field', message:fetch_field('Subject'), 'Subject: Lunch')
expect('its size', message:fetch_size(), #lunch)
expect('its date', message:fetch_date(), ' 3-Nov-2020 10:00:00 +0000')
expect('its structure', message:fetch_structure()['1'].type, 'text/plain')
expect('its part', message:fetch_part('1'), 'Noon today\r\n')
box:is_unseen():add_flags({ '\\Flagged', 'x' })
box:is_flagged():remove_flags({ 'x' })
box:contain_subject('Dinner'):replace_flags({ '\\Answered' })
expect('answered', #box:is_answered(), 1)
expect('copy', box:contain_subject('Lunch'):copy_messages(account['Archive']), true)
expect('move to a new one', box:contain_subject('Gone'):move_messages(account['Filtered/Away']), true)
expect('delete', box:contain_subject('Dinner'):delete_messages(), true)
expect('left', #box:select_all(), 1)
expect('there', #account['Filtered/Away']:select_all(), 1)
account:delete_mailbox('Filtered/Away')
account:delete_mailbox('Filter')
os.exit(failures == 0)
