export const commands = [
  'serve',
  'demo',
  'probe',
  'init',
  'emulator',
  'conformance',
  'schema',
  'check-config',
  'export-store',
  'import-store',
  'migrate',
] as const
export type Command = (typeof commands)[number]

export const overview = `coze-graphql-gateway: a GraphQL gateway for Coze Workflows and Bots.
Every caller has a session of its own; replies stream over SSE and survive a lost connection.

Usage: coze-graphql-gateway <command> [options]

Commands:
  serve          run the gateway
  demo           run the gateway with a local stand-in for Coze and two ready-made callers
  probe          find out whether the assistants keep sessions apart
  init           write a first configuration and its keys
  emulator       run a local stand-in for Coze, to test against
  conformance    find out whether a running gateway keeps the protocol
  schema         print the GraphQL schema
  check-config   check the configuration and list every problem
  export-store   write all that a SQLite file holds into a transfer file
  import-store   write a transfer file into an empty PostgreSQL database
  migrate        bring the tables of a PostgreSQL database up to date

Options:
  -h, --help     this text; after a command, that command's own
  -v, --version  print the version

Exit codes: 0 all is well, 1 failed while running, 2 bad usage, bad configuration or a busy port; those of
probe are verdicts (see its help).
Standard output has only the result of the command. Logs and errors go to standard error.
`

const configuration = `The configuration is one JSON file. A scalar in it is overridden by an environment variable named after
its path: listen.port by COZE_GATEWAY_LISTEN_PORT, timeouts.drainMs by COZE_GATEWAY_TIMEOUTS_DRAIN_MS.
A secret in it is text, { "file": "path" } or { "env": "NAME" }; session.key may also come from
COZE_GATEWAY_SESSION_KEY or COZE_GATEWAY_SESSION_KEY_FILE. Paths in the file are relative to the file.
`

export const helpOf: Readonly<Record<Command, string>> = {
  serve: `Usage: coze-graphql-gateway serve [--config FILE] [--workers N]

Runs the gateway until a signal stops it. Logs are JSON lines on standard error; the line "listening"
has the address.

SIGTERM or SIGINT drains: /health/ready answers 503, no new messages are accepted, running replies have
timeouts.drainMs (25 s) to end, and streams end with a cursor to resume from. A second signal ends the process
at once. Acknowledged messages are on disk in any case.

With --workers, N processes serve the one port, each on a core of its own: on Linux, with a PostgreSQL store. One
that dies is started again.

Options:
  -c, --config FILE  the configuration; default: the path in COZE_GATEWAY_CONFIG
      --workers N    processes, from 1 to 64; default 1

${configuration}`,
  demo: `Usage: coze-graphql-gateway demo [--host HOST] [--port PORT] [--data FILE] [--dialect NAME] [--leak NAME]
                          [--origin ORIGIN]

Runs the gateway with an embedded stand-in for Coze (a Workflow and a Bot) and prints commands to copy for two
callers, Alice and Bob. It needs no account and no configuration. Everybody knows its secrets, so it listens on
loopback, and does not start where NODE_ENV is "production".

Options:
      --host HOST          default 127.0.0.1
      --port PORT          default 4000; 0 takes a free one
      --data FILE          the SQLite file; default data/demo.db
      --dialect NAME       the platform that the stand-in imitates: cloud (default), or studio, a self-hosted
                           Coze Studio with one personal token for everybody
      --leak NAME          make the stand-in mix sessions up, and show what users see, what the guard does and
                           what a probe finds: static-conversation, shared-name, foreign-conversations,
                           shared-variables, shared-memory, shared-question, fixed-node-names,
                           unfiltered-knowledge
      --origin ORIGIN      pages of this origin may call it, such as http://localhost:8000
      --allow-production   start although NODE_ENV is "production"
`,
  probe: `Usage: coze-graphql-gateway probe [--config FILE | --gateway URL --token-file FILE] [--assistant ID]
                          [--trials N] [--budget N] [--format table|json|junit] [--bundle FILE]
                          [--ask TEXT] [--knowledge FILE]

Finds out whether the configured assistants keep sessions apart: new sessions are told secrets, and are asked
for each other's. No gateway needs to run. The report names each layer that leaks, the cause, and what to
change. With --gateway, a running gateway probes its own assistants and keeps the verdicts. Progress goes to
standard error. The long-term memory of an assistant may keep the secrets of a probe, so probe a staging copy
if you have one.

Options:
  -c, --config FILE     the configuration; default: the path in COZE_GATEWAY_CONFIG
      --gateway URL     the running gateway that probes its assistants
      --token-file FILE a bearer token with the operators' scope, for --gateway
      --assistant ID    only this assistant; default: all
      --trials N        pairs of sessions; default: probe.trials, which is 2
      --budget N        the most upstream calls for each strategy of an assistant; default: probe.budget, 60
      --format FORMAT   table (default), json or junit
      --bundle FILE     write a report for the platform's support: ids, times and log ids, no secrets and texts;
                        as Markdown if the name ends in .md, else as JSON
      --ask TEXT        a message that makes the assistant ask a question and wait for the answer
      --knowledge FILE  facts of the knowledge base to ask for:
                        [{ "sessionName": …, "question": …, "value": … }]

Exit codes: 0 isolated, 1 leaking, 2 inconclusive, 3 could not run.

${configuration}`,
  init: `Usage: coze-graphql-gateway init [--config FILE] [--yes] [OPTIONS]

Writes a first configuration with comments, and beside it two keys that only you can read: session.key and
name.key. At a terminal it asks for values that no option gives. Without a terminal, or with --yes, missing
values are marked "<…>", and check-config names them. Existing files are not changed.

Options:
  -c, --config FILE      the file to write; default gateway.json
  -y, --yes              ask nothing
      --base-url URL     the Coze API; default https://api.coze.com
      --workflow-id ID   the Workflow, and
      --app-id ID        the app that it belongs to; or
      --bot-id ID        the Bot
      --oauth-app-id ID  the OAuth app of type JWT, and
      --key-id TEXT      the fingerprint of its public key
      --private-key FILE its private key; default coze.pem, beside the configuration
      --issuer TEXT      the "iss" of your users' tokens
      --audience TEXT    their "aud"; default coze-graphql-gateway
      --jwks-url URL     the issuer's key set; default: the one that its OpenID discovery document names
`,
  emulator: `Usage: coze-graphql-gateway emulator (--config FILE | --stdin) [--host HOST] [--port PORT]

Runs a local stand-in for Coze, which can fail and leak on demand. It prints {"url": …} as one line of JSON, and
serves until a signal stops it. docs/emulator.md describes its options. Whoever reaches it can sign in as anybody,
so it listens on loopback, and does not start where NODE_ENV is "production".

Options:
  -c, --config FILE        its options as JSON
      --stdin              its options as the first line of standard input; the end of standard input ends it
      --host HOST          default 127.0.0.1
      --port PORT          default 0, which takes a free one
      --allow-production   start although NODE_ENV is "production"
`,
  conformance: `Usage: coze-graphql-gateway conformance --url URL --token-file FILE [--other-token-file FILE]
                            [--expiring-token-file FILE] [--drain-command COMMAND] [--assistant ID] [--text TEXT]

Sends messages to a running gateway, reads their replies over server-sent events, multipart HTTP and WebSocket,
and prints which sentences of docs/protocol.md hold. It sends about ten messages, and waits for signs of life of
open streams, which takes a minute at the default keep-alive.

Options:
      --url URL                   the gateway, such as https://gateway.example.com/graphql
      --token-file FILE           a bearer token of a caller
      --other-token-file FILE     that of another caller, to examine that sessions are kept apart
      --expiring-token-file FILE  one of the first caller that expires within two minutes, to examine how streams end
      --drain-command COMMAND     a command that makes the gateway drain, run last of all, such as "kill -TERM 4711"
      --assistant ID              the assistant that is asked; default: the first one
      --text TEXT                 the message; its answer should be long. Default: "Count from one to forty, in words."

Exit codes: 0 every MUST that was tested holds, 1 one is violated, 2 bad usage.
`,
  schema: `Usage: coze-graphql-gateway schema

Prints the GraphQL schema (SDL) on standard output.
`,
  'export-store': `Usage: coze-graphql-gateway export-store [--config FILE] --file FILE

Writes all that the SQLite file of the configuration holds into a new file, for import-store, and prints how many
rows of each table there are, with a digest. No gateway may run on the SQLite file meanwhile. The file has the
messages of users: nobody else may read it, and it is best deleted afterwards.

Options:
      --file FILE    the new file
  -c, --config FILE  the configuration of the gateway; default: the path in COZE_GATEWAY_CONFIG
`,
  'import-store': `Usage: coze-graphql-gateway import-store [--config FILE] --file FILE

Writes a file of export-store into the PostgreSQL database of the configuration, which must be empty, with the
same session key. All of it is there afterwards, or nothing: the rows are read back and must have the counts and
the digests of the source, which are printed. Conversations go on, and cursors that clients hold stay good.

Options:
      --file FILE    the file of export-store
  -c, --config FILE  the configuration with the new "store"; default: the path in COZE_GATEWAY_CONFIG
`,
  migrate: `Usage: coze-graphql-gateway migrate [--config FILE] [--check]

Brings the tables of the PostgreSQL database to the version of this program, as the first start of a gateway would,
and prints the versions. Gateways of the version before go on meanwhile and afterwards.

Options:
      --check    changes nothing; exit code 1: the tables are of an older version
  -c, --config FILE  the configuration of the gateway; default: the path in COZE_GATEWAY_CONFIG
`,
  'check-config': `Usage: coze-graphql-gateway check-config [--config FILE] [--online] [--token FILE]

Reads the configuration as serve does, starts nothing, and lists every problem with its path on standard
error (exit code 2), or prints one line when all is well (exit code 0). No secret is shown.

With --online it tries every remote party (exit code 1 if one fails). It fetches the key set of each issuer.
It checks each assistant as serve does at its start: it obtains an access token and an empty conversation,
deletes the conversation, and prints what keeps sessions apart. A problem is shown with the host, the call,
the codes, and the page of the console where it is mended.
Then it sends "Hello." to each Workflow and Bot, and cancels the run at the first word of the answer. Only a
run shows a wrong id, a missing publication or permission, and a missing start parameter. Each run costs the
beginning of one answer. An "auto" assistant has two runs.

With --token it explains a user's bearer token: each check with its result, the value that was found, the value
that is expected, the setting that decides, and the caller that the token names. Exit code 1: the gateway would
refuse the token. The output has claims of the token, so use a token of your own. Published keys are fetched.

Options:
  -c, --config FILE  the configuration; default: the path in COZE_GATEWAY_CONFIG
      --online       try every remote party as well
      --token FILE   the file with the token; - is standard input

${configuration}`,
}
