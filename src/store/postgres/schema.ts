/**
 * The numbered versions of the tables. A new database is made by all of them, and an older one is changed by those that it
 * lacks, so an entry never changes once it was used.
 *
 * A row of a session has the session in its key, and a number that the session's own row counts. Flags are 0 or 1.
 */
export const migrations: readonly [string, ...string[]] = [
  `
  CREATE TABLE meta (name text PRIMARY KEY, value text NOT NULL);

  -- The gateway that has the database, at most one.
  CREATE TABLE instance (
    place smallint PRIMARY KEY DEFAULT 1 CHECK (place = 1),
    name text NOT NULL,
    -- Raised by the living: one that stands still is of a dead one.
    beat bigint NOT NULL
  );

  CREATE TABLE sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    name text NOT NULL,
    generation integer NOT NULL DEFAULT 0,
    -- Raised by every write in the session: a write holds only where nobody wrote since what it was decided on was read.
    version bigint NOT NULL DEFAULT 0,
    -- The random name of the last write: whether one whose answer was lost was made is seen here.
    written_by text NOT NULL DEFAULT '',
    -- The last number that was given to a conversation, a message or a reply.
    last_row integer NOT NULL DEFAULT 0,
    -- The session's last event, whether it is still there or not.
    last_seq integer NOT NULL DEFAULT 0,
    last_check text NOT NULL DEFAULT '',
    -- The newest event that trimming has taken away, and what ran after it, as the event had it.
    trimmed_seq integer NOT NULL DEFAULT 0,
    trimmed_check text NOT NULL DEFAULT '',
    trimmed_running text,
    -- The same of the newest one that was not of a deleted conversation: a reader that has had it has missed nothing.
    told_seq integer NOT NULL DEFAULT 0,
    told_check text NOT NULL DEFAULT '',
    told_running text,
    -- When a conversation was deleted whose events are still numbers in the log: no reply says any more that they are old.
    deleted_at bigint,
    created_at bigint NOT NULL
  ) WITH (fillfactor = 80);
  CREATE INDEX sessions_deleted ON sessions (deleted_at) WHERE deleted_at IS NOT NULL;

  CREATE TABLE conversations (
    session bigint NOT NULL,
    id integer NOT NULL,
    key text NOT NULL,
    assistant text NOT NULL,
    -- The later it was used in the session, the higher: time may jump.
    used integer NOT NULL,
    origin text,
    account text,
    strategy text,
    upstream text,
    generation integer NOT NULL DEFAULT 0,
    reset_pending smallint NOT NULL DEFAULT 0,
    -- When its last run ended.
    freed_at bigint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    last_used_at bigint NOT NULL,
    -- The title as it was set, and when; the one that its first message makes, and which message that is.
    title text,
    titled_at bigint,
    first_words text,
    first_message integer,
    -- The idempotency key that it was started under, and the digest of what was asked for with it.
    start_key text,
    start_digest text,
    -- Runs that started up to this event are forgotten: they seed nothing.
    cleared_seq integer NOT NULL DEFAULT 0,
    -- The newest of its events that trimming has taken away.
    trimmed_seq integer NOT NULL DEFAULT 0,
    PRIMARY KEY (session, id),
    UNIQUE (session, key)
  ) WITH (fillfactor = 80);
  CREATE INDEX conversations_used ON conversations (session, used);
  CREATE UNIQUE INDEX conversations_started ON conversations (session, start_key) WHERE start_key IS NOT NULL;
  CREATE INDEX conversations_upstream ON conversations (upstream) WHERE upstream IS NOT NULL;
  -- Titles and keys are what a user said: they have the age of the last use.
  CREATE INDEX conversations_named ON conversations (greatest(last_used_at, coalesce(titled_at, 0)))
    WHERE title IS NOT NULL OR start_key IS NOT NULL;

  -- A reply has the number of the user's message that it answers; an answer names its reply, whose text is its text.
  CREATE TABLE messages (
    session bigint NOT NULL,
    id integer NOT NULL,
    key text NOT NULL,
    conversation integer NOT NULL,
    reply integer NOT NULL,
    role text NOT NULL,
    text text,
    -- JSON lists, and what else came beside the text, as JSON.
    attachments text,
    images text,
    extras text,
    rating text,
    -- Of an answer: where it came from upstream.
    source text,
    created_at bigint NOT NULL,
    PRIMARY KEY (session, id),
    UNIQUE (session, key)
  );
  CREATE INDEX messages_of_conversation ON messages (session, conversation, id);

  CREATE TABLE replies (
    session bigint NOT NULL,
    id integer NOT NULL,
    key text NOT NULL,
    conversation integer NOT NULL,
    answer integer,
    status text NOT NULL,
    -- The last step of its run, while it has one.
    step text,
    -- Its place in the conversation's queue, lowest first.
    rank integer NOT NULL,
    fence text,
    chat text,
    -- A JSON list.
    revisions text,
    usage text,
    follow_ups text,
    question text,
    omitted text,
    tool_calls text,
    action_expires_at bigint,
    -- Digests of the tool outputs that it was given, a JSON list.
    tool_outputs text,
    explanation text,
    context_reset smallint NOT NULL DEFAULT 0,
    failure text,
    upstream_cancelled smallint NOT NULL DEFAULT 0,
    -- A message has interrupted it while it ran: whoever takes it over cancels it.
    interrupted smallint NOT NULL DEFAULT 0,
    -- The numbers of its first event, if it was ever sent, and of its last one.
    started_seq integer,
    ended_seq integer,
    -- Its events were trimmed.
    trimmed smallint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    started_at bigint,
    ended_at bigint,
    PRIMARY KEY (session, id),
    UNIQUE (session, key)
  ) WITH (fillfactor = 80);
  -- An operator asks how any reply came to be.
  CREATE INDEX replies_by_key ON replies (key);
  CREATE INDEX replies_open ON replies (session, conversation, rank) WHERE ended_at IS NULL;
  -- One reply runs in a conversation: the table itself refuses a second one.
  CREATE UNIQUE INDEX replies_running ON replies (session, conversation)
    WHERE status IN ('RUNNING', 'ACTION_REQUIRED');
  CREATE INDEX replies_started ON replies (session, conversation, started_seq) WHERE started_seq IS NOT NULL;
  CREATE INDEX replies_kept ON replies (ended_at, session, id) WHERE trimmed = 0 AND ended_at IS NOT NULL;
  CREATE INDEX replies_trimmed ON replies (created_at) WHERE trimmed = 1;

  -- Texts of replies, in pieces that follow each other without a gap: the answer (0) and the reasoning (1). Places and
  -- lengths are UTF-16 code units.
  CREATE TABLE texts (
    session bigint NOT NULL,
    reply integer NOT NULL,
    kind smallint NOT NULL,
    start integer NOT NULL,
    length integer NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (session, reply, kind, start)
  );

  -- What a reply's end says stands in the reply.
  CREATE TABLE events (
    session bigint NOT NULL,
    seq integer NOT NULL,
    "check" text NOT NULL,
    -- Null: the conversation was deleted, and only number and check are left.
    reply integer,
    type text NOT NULL,
    payload text,
    -- The replies that run after it, a JSON list in the order in which they started; null: none does.
    running text,
    PRIMARY KEY (session, seq)
  );

  CREATE TABLE idempotency (
    session bigint NOT NULL,
    key text NOT NULL,
    digest text NOT NULL,
    reply integer NOT NULL,
    PRIMARY KEY (session, key)
  );
  CREATE INDEX idempotency_of_reply ON idempotency (session, reply);

  -- Outlives the sessions and conversations that it names.
  CREATE TABLE bindings (
    origin text NOT NULL,
    account text NOT NULL,
    upstream text NOT NULL,
    session bigint NOT NULL,
    conversation integer NOT NULL,
    strategy text NOT NULL,
    used_at bigint NOT NULL,
    -- Two sessions or conversations have met in it: it is nobody's any more.
    tainted_at bigint,
    -- Its deletion upstream was owed.
    deletion_owed smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (origin, account, upstream)
  );
  CREATE INDEX bindings_of_conversation ON bindings (session, conversation);

  CREATE TABLE attachments (
    session bigint NOT NULL,
    key text NOT NULL,
    assistant text NOT NULL,
    origin text NOT NULL,
    account text NOT NULL,
    upstream text NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    created_at bigint NOT NULL,
    -- When a message last named it.
    used_at bigint,
    -- It has no name any more, and nobody can ask for it: what is left says what the platform still keeps.
    forgotten smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (session, key)
  );
  CREATE INDEX attachments_by_use ON attachments (greatest(created_at, coalesce(used_at, 0))) WHERE forgotten = 0;

  -- Proofs and breaches are JSON.
  CREATE TABLE isolation (
    assistant text NOT NULL,
    strategy text NOT NULL,
    proof text,
    breach text,
    PRIMARY KEY (assistant, strategy)
  );

  -- What is owed to the platform, under the name that the session had when it came to be owed.
  CREATE TABLE outbox (
    id text PRIMARY KEY,
    session bigint NOT NULL,
    -- Its place among those of the session.
    place integer NOT NULL,
    session_name text NOT NULL,
    type text NOT NULL,
    assistant text,
    origin text NOT NULL,
    account text NOT NULL,
    strategy text NOT NULL,
    upstream text,
    chat text,
    attempts integer NOT NULL DEFAULT 0,
    owed_since bigint NOT NULL,
    due_at bigint NOT NULL
  );
  CREATE INDEX outbox_due ON outbox (due_at, place);
  CREATE INDEX outbox_of_session ON outbox (session, place);
  `,
  // Version 1 was for one gateway alone, whose row is taken away: it ends. Now each instance has a row.
  `
  DELETE FROM instance;
  ALTER TABLE instance DROP CONSTRAINT instance_pkey;
  ALTER TABLE instance DROP COLUMN place;
  ALTER TABLE instance ADD PRIMARY KEY (name);

  -- The instance that runs it or will, while it is open; one without a row in "instance" is nobody.
  ALTER TABLE replies ADD COLUMN instance text NOT NULL DEFAULT '';
  CREATE INDEX replies_of_instance ON replies (instance) WHERE ended_at IS NULL;

  -- "interrupted" 2: another was met in its upstream conversation; whoever takes it over fails it.

  -- What any of the instances does at an interval, in ms of the server's clock.
  CREATE TABLE duties (name text PRIMARY KEY, due_at bigint NOT NULL);
  `,
  `
  -- Raised by every write of its texts: one that was decided on what is stored of them holds only where nothing was added since.
  ALTER TABLE replies ADD COLUMN text_writes integer NOT NULL DEFAULT 0;
  `,
  `
  -- Conversations that are deleted, while some of their rows are still there: what has no conversation is read by nobody.
  CREATE TABLE deletions (
    session bigint NOT NULL,
    conversation integer NOT NULL,
    PRIMARY KEY (session, conversation)
  );
  `,
]
