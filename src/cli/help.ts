export const commands = ['serve', 'demo', 'schema', 'check-config'] as const
export type Command = (typeof commands)[number]

export const overview = `coze-gateway: a GraphQL gateway for Coze Workflows and Bots.
Every caller has a session of its own; replies stream over SSE and survive a lost connection.

Usage: coze-gateway <command> [options]

Commands:
  serve          run the gateway
  demo           run the gateway with a local stand-in for Coze and two ready-made callers
  schema         print the GraphQL schema
  check-config   check the configuration and tell every problem

Options:
  -h, --help     this text; after a command, that command's own
  -v, --version  print the version

Exit codes: 0 all is well, 1 failed while running, 2 bad usage, bad configuration or a busy port.
Standard output holds only what was asked for; logs and complaints go to standard error.
`

const configuration = `The configuration is one JSON file. A scalar in it is overridden by an environment variable named after
its path: listen.port by COZE_GATEWAY_LISTEN_PORT, timeouts.drainMs by COZE_GATEWAY_TIMEOUTS_DRAIN_MS.
A secret in it is text, { "file": "path" } or { "env": "NAME" }; session.key may also come from
COZE_GATEWAY_SESSION_KEY or COZE_GATEWAY_SESSION_KEY_FILE. Paths in the file are relative to the file.
`

export const helpOf: Readonly<Record<Command, string>> = {
  serve: `Usage: coze-gateway serve [--config FILE]

Runs the gateway until it is told to stop. Logs are JSON lines on standard error; the line "listening"
tells the address.

SIGTERM or SIGINT drains: /health/ready answers 503, no new messages are accepted, running replies get
timeouts.drainMs (25 s) to end, subscribers are let go with a place to resume from. A second signal ends
the process at once; what was acknowledged is on disk all the same.

Options:
  -c, --config FILE  the configuration; default: the path in COZE_GATEWAY_CONFIG

${configuration}`,
  demo: `Usage: coze-gateway demo [--host HOST] [--port PORT] [--data FILE]

Runs the gateway with an embedded stand-in for Coze (a Workflow and a Bot) and prints two callers, Alice
and Bob, with commands to copy. Needs no account and no configuration. Its secrets are known to everybody:
it listens on loopback, and does not start where NODE_ENV is "production".

Options:
      --host HOST          default 127.0.0.1
      --port PORT          default 4000; 0 takes a free one
      --data FILE          the SQLite file; default data/demo.db
      --allow-production   start although NODE_ENV is "production"
`,
  schema: `Usage: coze-gateway schema

Prints the GraphQL schema (SDL) on standard output.
`,
  'check-config': `Usage: coze-gateway check-config [--config FILE]

Reads the configuration as serve does, starts nothing, and tells every problem with its path on standard
error (exit code 2), or one line on standard output that it is well (exit code 0). No secret is shown.

Options:
  -c, --config FILE  the configuration; default: the path in COZE_GATEWAY_CONFIG

${configuration}`,
}
