/**
 * The tables of the first edition, one entry per version: entry n brings a file from `user_version` n to n + 1. An entry is
 * never edited: files of each version are about.
 */
export const firstEdition: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

  CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    generation INTEGER NOT NULL,
    trimmed_to INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
  );

  CREATE TABLE conversations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL,
    assistant TEXT NOT NULL,
    -- Grows with each use in the session: time may jump.
    used INTEGER NOT NULL,
    origin TEXT,
    account TEXT,
    strategy TEXT,
    upstream TEXT,
    generation INTEGER NOT NULL DEFAULT 0,
    reset_pending INTEGER NOT NULL DEFAULT 0,
    -- When its last run ended.
    freed_at INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
  );
  CREATE INDEX conversations_of_session ON conversations (session);
  CREATE INDEX conversations_by_use ON conversations (session, assistant, used);

  -- A reply has the row id of the user's message that it answers; an answer names its reply and takes its text from there.
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    reply INTEGER,
    role TEXT NOT NULL,
    text TEXT,
    created_at INTEGER NOT NULL
  );
  CREATE INDEX messages_of_conversation ON messages (conversation);

  CREATE TABLE replies (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    answer INTEGER,
    status TEXT NOT NULL,
    -- Its place in the conversation's queue, lowest first.
    rank INTEGER NOT NULL,
    fence INTEGER,
    -- 0 claimed, 1 intent, 2 chat.
    step INTEGER NOT NULL DEFAULT 0,
    -- Its place among the runs of its conversation, once anything was sent.
    run INTEGER,
    chat TEXT,
    text TEXT NOT NULL DEFAULT '',
    reasoning TEXT NOT NULL DEFAULT '',
    usage TEXT,
    follow_ups TEXT NOT NULL DEFAULT '[]',
    context_reset INTEGER NOT NULL DEFAULT 0,
    failure TEXT,
    upstream_cancelled INTEGER NOT NULL DEFAULT 0,
    first_event INTEGER,
    last_event INTEGER,
    trimmed INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER
  );
  CREATE INDEX replies_open ON replies (conversation, rank) WHERE ended_at IS NULL;
  CREATE INDEX replies_run ON replies (conversation, run) WHERE run IS NOT NULL;
  CREATE INDEX replies_kept ON replies (ended_at) WHERE trimmed = 0 AND ended_at IS NOT NULL;
  CREATE INDEX replies_in_log ON replies (session, first_event) WHERE trimmed = 0;

  CREATE TABLE idempotency (
    session INTEGER NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    reply INTEGER NOT NULL,
    PRIMARY KEY (session, key)
  ) WITHOUT ROWID;

  -- Outlives the sessions and conversations that it names.
  CREATE TABLE bindings (
    origin TEXT NOT NULL,
    account TEXT NOT NULL,
    upstream TEXT NOT NULL,
    session INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (origin, account, upstream)
  ) WITHOUT ROWID;

  CREATE TABLE events (
    session INTEGER NOT NULL,
    place INTEGER NOT NULL,
    reply INTEGER NOT NULL,
    type TEXT NOT NULL,
    payload TEXT,
    PRIMARY KEY (session, place)
  ) WITHOUT ROWID;

  -- Deltas of replies that run, a row per commit, for recovery alone: no index, so that appending costs one page.
  CREATE TABLE journal (id INTEGER PRIMARY KEY, deltas TEXT NOT NULL);
  `,
  `
  -- The title as it was set, and the one that the first message makes.
  ALTER TABLE conversations ADD COLUMN title TEXT;
  ALTER TABLE conversations ADD COLUMN first_words TEXT;
  -- Runs up to this one are forgotten: they seed nothing.
  ALTER TABLE conversations ADD COLUMN cleared_run INTEGER NOT NULL DEFAULT 0;
  -- Its oldest messages are gone.
  ALTER TABLE conversations ADD COLUMN trimmed INTEGER NOT NULL DEFAULT 0;

  ALTER TABLE messages ADD COLUMN attachments TEXT;
  ALTER TABLE messages ADD COLUMN extras TEXT;
  ALTER TABLE messages ADD COLUMN rating TEXT;
  -- Of an answer: where it came from upstream.
  ALTER TABLE messages ADD COLUMN source TEXT;

  -- Steps beyond 2: 3 waits for tool outputs, 4 took them.
  ALTER TABLE replies ADD COLUMN question TEXT;
  ALTER TABLE replies ADD COLUMN omitted TEXT;
  ALTER TABLE replies ADD COLUMN tool_calls TEXT;
  ALTER TABLE replies ADD COLUMN action_expires_at INTEGER;
  ALTER TABLE replies ADD COLUMN explanation TEXT;
  CREATE INDEX replies_open_of_session ON replies (session) WHERE ended_at IS NULL;

  ALTER TABLE bindings ADD COLUMN strategy TEXT;
  CREATE INDEX bindings_of_conversation ON bindings (conversation);

  CREATE TABLE attachments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL,
    assistant TEXT NOT NULL,
    origin TEXT NOT NULL,
    account TEXT NOT NULL,
    upstream TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  );
  CREATE INDEX attachments_of_session ON attachments (session);
  `,
  `
  -- Two sessions or conversations have met in it: it is nobody's any more.
  ALTER TABLE bindings ADD COLUMN tainted_at INTEGER;
  CREATE INDEX conversations_upstream ON conversations (upstream) WHERE upstream IS NOT NULL;

  -- Proofs and breaches are JSON.
  CREATE TABLE isolation (
    assistant TEXT NOT NULL,
    strategy TEXT NOT NULL,
    proof TEXT,
    breach TEXT,
    PRIMARY KEY (assistant, strategy)
  ) WITHOUT ROWID;
  `,
  `
  CREATE INDEX bindings_of_session ON bindings (session);
  `,
  `
  -- They are listed in the order of their use.
  CREATE INDEX conversations_used ON conversations (session, used);
  DROP INDEX conversations_of_session;
  `,
  `
  -- A message has interrupted it while it ran: whoever takes it over cancels it.
  ALTER TABLE replies ADD COLUMN interrupted INTEGER NOT NULL DEFAULT 0;
  -- Digests of the tool outputs that it was given, as a JSON list.
  ALTER TABLE replies ADD COLUMN tool_outputs TEXT;
  `,
  `
  -- Where the events of a reply lie: read for each part of a log, and in its row these columns stand behind its text.
  CREATE INDEX replies_span ON replies (key, session, first_event, last_event);
  `,
  `
  -- Deleted conversations some of whose messages, replies and events are still there: without the conversation nobody
  -- meets them, and they go bit by bit.
  CREATE TABLE deletions (conversation INTEGER PRIMARY KEY);
  CREATE INDEX idempotency_of_reply ON idempotency (reply);
  CREATE INDEX replies_trimmed ON replies (created_at) WHERE trimmed = 1;
  CREATE INDEX replies_trimmed_of_conversation ON replies (conversation, last_event) WHERE trimmed = 1;

  -- The message that made first_words: they go with it.
  ALTER TABLE conversations ADD COLUMN first_message INTEGER;
  UPDATE conversations SET first_words = NULL WHERE trimmed = 1;
  -- When the title was set.
  ALTER TABLE conversations ADD COLUMN titled_at INTEGER;
  CREATE INDEX conversations_titled ON conversations (max(last_used_at, coalesce(titled_at, 0))) WHERE title IS NOT NULL;

  -- When a message last named it.
  ALTER TABLE attachments ADD COLUMN used_at INTEGER;
  UPDATE attachments SET used_at = u.at FROM (
    SELECT j.value AS key, max(m.created_at) AS at FROM messages m, json_each(m.attachments) j
    WHERE m.attachments IS NOT NULL GROUP BY j.value
  ) u WHERE u.key = attachments.key;
  -- It has no name any more, and nobody can ask for it: what is left says what the platform still keeps.
  ALTER TABLE attachments ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX attachments_by_use ON attachments (max(created_at, coalesce(used_at, 0))) WHERE forgotten = 0;
  `,
]
