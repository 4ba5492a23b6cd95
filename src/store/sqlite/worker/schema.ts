/**
 * The tables that the second edition began with. Nothing grows a row over a page: texts lie in `texts`, in rows of bounded
 * size. A file of the first edition is brought to them by `migration.ts`.
 */
const firstTables = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

  CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    generation INTEGER NOT NULL,
    -- The newest event that trimming has taken away, and what ran after it, as the event had it.
    trimmed_seq INTEGER NOT NULL DEFAULT 0,
    trimmed_check TEXT NOT NULL DEFAULT '',
    trimmed_running TEXT,
    created_at INTEGER NOT NULL
  );

  CREATE TABLE conversations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL,
    assistant TEXT NOT NULL,
    -- The later it was used in the session, the higher: time may jump.
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
    last_used_at INTEGER NOT NULL,
    -- The title as it was set, and when; the one that its first message makes, and which message that is.
    title TEXT,
    titled_at INTEGER,
    first_words TEXT,
    first_message INTEGER,
    -- Runs that started up to this event are forgotten: they seed nothing.
    cleared_seq INTEGER NOT NULL DEFAULT 0,
    -- The newest of its events that trimming has taken away; whether it had older messages.
    trimmed_seq INTEGER NOT NULL DEFAULT 0,
    messages_trimmed INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX conversations_used ON conversations (session, used);
  CREATE INDEX conversations_upstream ON conversations (upstream) WHERE upstream IS NOT NULL;
  CREATE INDEX conversations_titled ON conversations (max(last_used_at, coalesce(titled_at, 0))) WHERE title IS NOT NULL;

  -- A reply has the row id of the user's message that it answers; an answer names its reply.
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    reply INTEGER,
    role TEXT NOT NULL,
    attachments TEXT,
    rating TEXT,
    -- Of an answer: where it came from upstream.
    source TEXT,
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
    -- The last step of its run, while it has one.
    step TEXT,
    -- Its place in the conversation's queue, lowest first.
    rank INTEGER NOT NULL,
    fence TEXT,
    chat TEXT,
    -- A JSON list.
    revisions TEXT,
    usage TEXT,
    follow_ups TEXT,
    question TEXT,
    omitted TEXT,
    tool_calls TEXT,
    action_expires_at INTEGER,
    -- Digests of the tool outputs that it was given, a JSON list.
    tool_outputs TEXT,
    explanation TEXT,
    context_reset INTEGER NOT NULL DEFAULT 0,
    failure TEXT,
    upstream_cancelled INTEGER NOT NULL DEFAULT 0,
    -- A message has interrupted it while it ran: whoever takes it over cancels it.
    interrupted INTEGER NOT NULL DEFAULT 0,
    -- The numbers of its first event, if it was ever sent, and of its last one.
    started_seq INTEGER,
    ended_seq INTEGER,
    -- Its events were trimmed.
    trimmed INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER
  );
  CREATE INDEX replies_open ON replies (session, conversation, rank) WHERE ended_at IS NULL;
  -- One reply runs in a conversation: the table itself refuses a second one.
  CREATE UNIQUE INDEX replies_running ON replies (conversation) WHERE status IN ('RUNNING', 'ACTION_REQUIRED');
  CREATE INDEX replies_started ON replies (conversation, started_seq) WHERE started_seq IS NOT NULL;
  CREATE INDEX replies_kept ON replies (ended_at) WHERE trimmed = 0 AND ended_at IS NOT NULL;
  CREATE INDEX replies_trimmed ON replies (created_at) WHERE trimmed = 1;

  -- The row id is made of the reply, the kind of text and where it begins: what is read together lies together.
  -- The digest is of the text and of that place.
  CREATE TABLE texts (id INTEGER PRIMARY KEY, start INTEGER NOT NULL, digest INTEGER NOT NULL, text TEXT NOT NULL);

  -- The row id is that of the session and the number of the event. What a reply's end says stands in the reply.
  CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    "check" TEXT NOT NULL,
    -- Null: the conversation was deleted, and only number and check are left.
    reply INTEGER,
    type TEXT NOT NULL,
    payload TEXT,
    -- The replies that run after it, a JSON list of rows in the order in which they started; null: none does.
    running TEXT
  );

  CREATE TABLE idempotency (
    session INTEGER NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    reply INTEGER NOT NULL,
    PRIMARY KEY (session, key)
  ) WITHOUT ROWID;
  CREATE INDEX idempotency_of_reply ON idempotency (reply);

  -- Outlives the sessions and conversations that it names.
  CREATE TABLE bindings (
    origin TEXT NOT NULL,
    account TEXT NOT NULL,
    upstream TEXT NOT NULL,
    session INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    strategy TEXT,
    used_at INTEGER NOT NULL,
    -- Two sessions or conversations have met in it: it is nobody's any more.
    tainted_at INTEGER,
    -- Its deletion upstream was owed.
    deletion_owed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (origin, account, upstream)
  ) WITHOUT ROWID;
  CREATE INDEX bindings_of_conversation ON bindings (conversation);
  CREATE INDEX bindings_of_session ON bindings (session);

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
    created_at INTEGER NOT NULL,
    -- When a message last named it.
    used_at INTEGER,
    -- It has no name any more, and nobody can ask for it: what is left says what the platform still keeps.
    forgotten INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX attachments_of_session ON attachments (session);
  CREATE INDEX attachments_by_use ON attachments (max(created_at, coalesce(used_at, 0))) WHERE forgotten = 0;

  -- Proofs and breaches are JSON.
  CREATE TABLE isolation (
    assistant TEXT NOT NULL,
    strategy TEXT NOT NULL,
    proof TEXT,
    breach TEXT,
    PRIMARY KEY (assistant, strategy)
  ) WITHOUT ROWID;

  -- Deleted conversations. Some of their rows are still there until it is swept: without the conversation nobody meets
  -- them. Afterwards it waits for the log to be trimmed, which then has no reply that would say so.
  CREATE TABLE deletions (
    conversation INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    deleted_at INTEGER NOT NULL,
    swept INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX deletions_unswept ON deletions (conversation) WHERE swept = 0;
  CREATE INDEX deletions_swept ON deletions (deleted_at) WHERE swept = 1;

  -- What is owed to the platform, under the name that the session had when it came to be owed.
  CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL,
    session_name TEXT NOT NULL,
    type TEXT NOT NULL,
    assistant TEXT,
    origin TEXT NOT NULL,
    account TEXT NOT NULL,
    strategy TEXT NOT NULL,
    upstream TEXT,
    chat TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    owed_since INTEGER NOT NULL,
    due_at INTEGER NOT NULL
  );
  CREATE INDEX outbox_due ON outbox (due_at);
  CREATE INDEX outbox_of_session ON outbox (session);
`

/**
 * The versions of the second edition. A new file is made by all of them, and an older file is changed by those that it
 * lacks, so an entry never changes once it was used.
 */
export const secondEdition: readonly [string, ...string[]] = [
  firstTables,
  `
  -- The idempotency key that a conversation was started under, and the digest of what was asked for with it.
  ALTER TABLE conversations ADD COLUMN start_key TEXT;
  ALTER TABLE conversations ADD COLUMN start_digest TEXT;
  CREATE UNIQUE INDEX conversations_started ON conversations (session, start_key) WHERE start_key IS NOT NULL;
  -- Titles and keys are what a user said: they have the age of the last use.
  DROP INDEX conversations_titled;
  CREATE INDEX conversations_named ON conversations (max(last_used_at, coalesce(titled_at, 0)))
    WHERE title IS NOT NULL OR start_key IS NOT NULL;
  `,
  `
  -- The text of what came beside a message begins with a JSON list of image addresses, so many code units long.
  ALTER TABLE messages ADD COLUMN images_length INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- Nobody asks whether retention has deleted older messages.
  ALTER TABLE conversations DROP COLUMN messages_trimmed;
  `,
  `
  -- Ratings and tool calls have the words of the GraphQL schema. No text that a user wrote can match: its quotes are escaped.
  UPDATE messages SET rating = 'DISLIKE' WHERE rating = 'UNLIKE';
  UPDATE replies SET tool_calls = replace(tool_calls, '"kind":"REPLY"', '"kind":"QUESTION"')
    WHERE tool_calls IS NOT NULL;
  UPDATE events SET payload = replace(payload, '"kind":"REPLY"', '"kind":"QUESTION"')
    WHERE type = 'action-required';
  `,
  `
  -- The newest event that trimming has taken away and that was not of a deleted conversation, and what ran after it: a
  -- reader that has had it has missed nothing.
  ALTER TABLE sessions ADD COLUMN told_seq INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sessions ADD COLUMN told_check TEXT NOT NULL DEFAULT '';
  ALTER TABLE sessions ADD COLUMN told_running TEXT;
  UPDATE sessions SET told_seq = trimmed_seq, told_check = trimmed_check, told_running = trimmed_running
    WHERE trimmed_seq > 0;
  `,
  `
  -- Sessions that were erased, and not all of whose rows are gone yet. Conversations and attachments that go are no
  -- session's any more: they have the negative id of the erasure in its place, so that nobody meets them.
  CREATE TABLE erasures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL,
    -- The one that what is owed for it is owed under.
    session_name TEXT NOT NULL,
    erased_at INTEGER NOT NULL
  );
  `,
]
