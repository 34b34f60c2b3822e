-- compat 1
-- Everything that outlives the process. Times are ticks (pchat.ticks); booleans are 0 and 1.
-- Columns named *_folded hold a name after NFC and case folding; that is where "unique" is meant.
-- Where a table says autoincrement, a number is never given again, also after its row is gone: messages,
-- hits, compliance events and the audit log of changes go on naming it.

-- Steps that this store has had, and the lowest version that a server must know to use it. The SIP domain is
-- part of every URI of a room that clients and archives know; empty until a server starts for the first time.
create table store_info (
    only_row integer primary key check (only_row = 1),
    version integer not null,
    compat integer not null,
    domain text not null default ''
);
insert into store_info (only_row, version, compat) values (1, 0, 0);

-- One row a server of the pool. last_alive is written now and then, so that after a crash the moment
-- the server is known to have lived can be told; last_sequence numbers its events without gaps, as long
-- as records_events says that compliance is on; commits counts its transactions, which settles a commit
-- whose outcome is in doubt; settlements counts such doubts.
create table servers (
    server_id integer primary key,
    name text not null unique,
    run_id text not null,
    started_at integer not null,
    last_alive integer not null,
    last_sequence integer not null default 0,
    records_events integer not null default 1,
    commits integer not null default 0,
    settlements integer not null default 0
);

-- The revision grows with every change that may alter a right or a room (tblSystemRevision of the
-- reference server). A post is decided at a revision and refused a commit at a later one.
create table revision (
    only_row integer primary key check (only_row = 1),
    number integer not null
);
insert into revision (only_row, number) values (1, 0);

create table changes (
    revision integer primary key,
    kind text not null,
    object_id integer,
    changed_by text not null,
    changed_on integer not null
);

-- kind: 5 user, 8 domain, 9 group (tblPrincipalType); state: 0 active, 1 disabled, 2 removed.
create table principals (
    principal_id integer primary key autoincrement,
    guid text not null unique,
    uri text not null,
    uri_folded text not null unique,
    kind integer not null,
    name text not null,
    display_name text not null default '',
    company text not null default '',
    email text not null default '',
    state integer not null default 0,
    created_by text not null,
    created_on integer not null,
    updated_by text not null,
    updated_on integer not null
);

-- scheme: ntlm (NT hash), digest (HA1), scrypt (web). A verifier is as good as the password.
create table credentials (
    principal_id integer not null references principals (principal_id),
    scheme text not null,
    realm text not null default '',
    verifier blob not null,
    primary key (principal_id, scheme, realm)
) without rowid;

-- scope is 'global' (principal_id 0) or 'user'.
create table policies (
    scope text not null,
    principal_id integer not null default 0,
    enabled integer not null,
    description text not null default '',
    primary key (scope, principal_id)
) without rowid;
insert into policies (scope, principal_id, enabled) values ('global', 0, 0);

create table settings (
    name text primary key,
    value text not null
) without rowid;

create table categories (
    category_id integer primary key autoincrement,
    guid text not null unique,
    name text not null,
    name_folded text not null unique,
    description text not null default '',
    invitations integer not null default 0,
    file_upload integer not null default 0,
    logged integer not null default 1,
    created_by text not null,
    created_on integer not null,
    updated_by text not null,
    updated_on integer not null
);

-- list: 'allow', 'deny' or 'create'.
create table category_principals (
    category_id integer not null references categories (category_id),
    list text not null,
    principal_id integer not null references principals (principal_id),
    granted_by text not null,
    granted_on integer not null,
    primary key (category_id, list, principal_id)
) without rowid;

-- privacy: 6 open, 3 closed, 2 secret; behavior: 4 normal, 5 auditorium; invitations: null inherits, 0 is off.
create table rooms (
    room_id integer primary key autoincrement,
    guid text not null unique,
    category_id integer not null references categories (category_id),
    name text not null,
    name_folded text not null unique,
    description text not null default '',
    privacy integer not null default 3,
    behavior integer not null default 4,
    invitations integer,
    addin_guid text,
    disabled integer not null default 0,
    last_chat_id integer not null default 0,
    last_ts integer not null default 0,
    created_by text not null,
    created_on integer not null,
    updated_by text not null,
    updated_on integer not null
);
create index rooms_by_category on rooms (category_id);

-- role: 'member', 'manager' or 'presenter'.
create table room_roles (
    room_id integer not null references rooms (room_id),
    role text not null,
    principal_id integer not null references principals (principal_id),
    granted_by text not null,
    granted_on integer not null,
    primary key (room_id, role, principal_id)
) without rowid;
create index room_roles_by_principal on room_roles (principal_id);

-- Not clustered by room: in a table without rowid SQLite keeps only the first kilobyte of a row in place, so
-- that each message with RTF took a page of its own, twice the space (bench/append.py --rtf 1500). row_id has
-- no meaning but to SQLite; a full-text index needs it.
create table messages (
    row_id integer primary key,
    room_id integer not null,
    chat_id integer not null,
    ts integer not null,
    author_id integer not null,
    alert integer not null default 0,
    chat text not null,
    rtf text,
    unique (room_id, chat_id)
);

-- Who is in which room, one row a user, room and server; rows of a dead run are closed with a part event.
create table participants (
    room_id integer not null,
    principal_id integer not null,
    server_id integer not null,
    run_id text not null,
    joined_at integer not null,
    primary key (room_id, principal_id, server_id)
) without rowid;

-- Compliance events, written in the transaction of what they record.
create table outbox (
    server_id integer not null,
    server_sequence integer not null,
    event_id text not null unique,
    kind text not null,
    time_ticks integer not null,
    room_id integer,
    room_uri text not null default '',
    room_name text not null default '',
    user_id integer,
    user_uri text not null default '',
    user_name text not null default '',
    user_email text not null default '',
    chat_id integer not null default 0,
    text text,
    detail text not null default '{}',
    primary key (server_id, server_sequence)
) without rowid;

-- Presence categories that a user's clients publish; the payload is kept as it came.
-- expire_type: static, endpoint, user or time; owner: the registration that published an endpoint row.
create table publications (
    principal_id integer not null,
    category text not null,
    container integer not null,
    instance integer not null,
    version integer not null,
    expire_type text not null,
    expires_at integer,
    published_at integer not null,
    owner text not null default '',
    payload blob not null,
    primary key (principal_id, category, container, instance)
) without rowid;

create table container_members (
    principal_id integer not null,
    container integer not null,
    version integer not null,
    members text not null,
    primary key (principal_id, container)
) without rowid;
