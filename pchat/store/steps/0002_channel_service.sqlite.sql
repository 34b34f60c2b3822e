-- compat 2
-- The whole channel service. A server that knows nothing of groups would take a denied person for an allowed
-- one, and one that knows nothing of the words of messages would not find them: hence the compat number.

-- Groups have a name that nobody else has, and a description; for all others both are empty.
alter table principals add column name_folded text not null default '';
alter table principals add column description text not null default '';
create unique index groups_by_name on principals (name_folded) where name_folded <> '';

-- Who belongs to a group directly: users and other groups. Rights follow through any number of groups.
create table group_members (
    group_id integer not null references principals (principal_id),
    member_id integer not null references principals (principal_id),
    granted_by text not null,
    granted_on integer not null,
    primary key (group_id, member_id)
) without rowid;
create index group_members_by_member on group_members (member_id);

-- Web pages that a manager may choose for his room (tblSiopWhiteList of the reference server).
create table addins (
    addin_id integer primary key autoincrement,
    guid text not null unique,
    name text not null,
    name_folded text not null unique,
    url text not null,
    created_by text not null,
    created_on integer not null,
    updated_by text not null,
    updated_on integer not null
);

-- When roles were last taken away because a scope or a room became narrower (ticks; 0 for never).
alter table categories add column purged_on integer not null default 0;
alter table rooms add column purged_on integer not null default 0;

-- One live invitation a user and room, numbered for each user from 2 upwards.
create table invitations (
    principal_id integer not null,
    room_id integer not null,
    invite_id integer not null,
    created_by text not null,
    created_on integer not null,
    primary key (principal_id, room_id)
) without rowid;
create unique index invitations_by_number on invitations (principal_id, invite_id);
create index invitations_by_room on invitations (room_id);

create table last_invitations (
    principal_id integer primary key,
    invite_id integer not null
);

-- Labelled blobs of clients, each with a version that grows.
create table preferences (
    principal_id integer not null,
    label text not null,
    version integer not null,
    content text not null,
    updated_on integer not null,
    primary key (principal_id, label)
) without rowid;

-- How far a user has read a room.
create table read_markers (
    principal_id integer not null,
    room_id integer not null,
    chat_id integer not null,
    updated_on integer not null,
    primary key (principal_id, room_id)
) without rowid;
create index read_markers_by_room on read_markers (room_id);
-- What others wrote after a marker is counted off this index alone, without reading the messages.
create index messages_by_author on messages (room_id, chat_id, author_id);

-- Rooms that a user follows, taken from what his clients publish as roomSetting.
-- room_guid: of the room that such a publication names, read once, before it is written.
alter table publications add column room_guid text;
create table followed_rooms (
    principal_id integer not null,
    room_id integer not null,
    primary key (principal_id, room_id)
) without rowid;
create index followed_rooms_by_room on followed_rooms (room_id);

-- Topic feeds: words and people that a user watches for in the rooms he follows. words and people are JSON
-- lists, of texts and of numbers of principals. The feed with the guid 'ego' is the one for his own name.
create table topic_feeds (
    principal_id integer not null,
    guid text not null,
    name text not null,
    enabled integer not null default 1,
    words text not null default '[]',
    people text not null default '[]',
    version integer not null,
    updated_on integer not null,
    primary key (principal_id, guid)
) without rowid;

-- Messages that a feed caught while its owner was not in the room; gone once he has read so far.
create table topic_hits (
    principal_id integer not null,
    room_id integer not null,
    chat_id integer not null,
    guids text not null,
    ts integer not null,
    primary key (principal_id, room_id, chat_id)
) without rowid;
create index topic_hits_by_room on topic_hits (room_id, chat_id);

-- The words of messages that are kept, as pchat.words cuts them, parted by blanks; nothing here folds or
-- cuts again. extras: the last character of each run without blanks, '@' with the author's number, '#' with the
-- room's. The row's number is row_id of messages, which grows with time: the newest hits of all rooms come first.
create virtual table message_words using fts5 (
    words, extras, content = '', columnsize = 0, tokenize = "ascii tokenchars '@#'"
);

-- How the index was cut (pchat.words.WORDS_VERSION), and up to which row of messages while it is being made.
alter table store_info add column words_version text not null default '';
alter table store_info add column words_made integer;
-- By how many ticks at most a message is earlier than one of a lower row: 0 unless the clock was set back.
alter table store_info add column clock_back integer not null default 0;

-- Who changed what, for administrators: before and after are JSON objects, null where there is none.
create table audit (
    entry_id integer primary key,
    time_ticks integer not null,
    actor text not null,
    action text not null,
    kind text not null,
    object text not null,
    before text,
    after text
);
create index audit_by_object on audit (object, entry_id);
create index audit_by_actor on audit (actor, entry_id);

-- Tokens for the REST interface. verifier is the SHA-256 of the secret part, which nobody keeps.
create table api_tokens (
    token_id integer primary key autoincrement,
    name text not null unique,
    verifier blob not null unique,
    scopes text not null,
    created_by text not null,
    created_on integer not null,
    expires_on integer not null,
    revoked_on integer
);
