export const commands = ['serve', 'demo', 'probe', 'init', 'schema', 'check-config'] as const
export type Command = (typeof commands)[number]

export const overview = `coze-graphql-gateway: a GraphQL gateway for Coze Workflows and Bots.
Every caller has a session of its own; replies stream over SSE and survive a lost connection.

Usage: coze-graphql-gateway <command> [options]

Commands:
  serve          run the gateway
  demo           run the gateway with a local stand-in for Coze and two ready-made callers
  probe          find out whether the assistants keep sessions apart
  init           write a first configuration and its keys
  schema         print the GraphQL schema
  check-config   check the configuration and list every problem

Options:
  -h, --help     this text; after a command, that command's own
  -v, --version  print the version

Exit codes: 0 all is well, 1 failed while running, 2 bad usage, bad configuration or a busy port; those of
probe are verdicts (see its help).
Standard output holds only what was asked for; logs and complaints go to standard error.
`

const configuration = `The configuration is one JSON file. A scalar in it is overridden by an environment variable named after
its path: listen.port by COZE_GATEWAY_LISTEN_PORT, timeouts.drainMs by COZE_GATEWAY_TIMEOUTS_DRAIN_MS.
A secret in it is text, { "file": "path" } or { "env": "NAME" }; session.key may also come from
COZE_GATEWAY_SESSION_KEY or COZE_GATEWAY_SESSION_KEY_FILE. Paths in the file are relative to the file.
`

export const helpOf: Readonly<Record<Command, string>> = {
  serve: `Usage: coze-graphql-gateway serve [--config FILE]

Runs the gateway until a signal stops it. Logs are JSON lines on standard error; the line "listening"
has the address.

SIGTERM or SIGINT drains: /health/ready answers 503, no new messages are accepted, running replies get
timeouts.drainMs (25 s) to end, subscribers are let go with a place to resume from. A second signal ends
the process at once; what was acknowledged is on disk all the same.

Options:
  -c, --config FILE  the configuration; default: the path in COZE_GATEWAY_CONFIG

${configuration}`,
  demo: `Usage: coze-graphql-gateway demo [--host HOST] [--port PORT] [--data FILE] [--dialect NAME] [--leak NAME]

Runs the gateway with an embedded stand-in for Coze (a Workflow and a Bot) and prints two callers, Alice
and Bob, with commands to copy. Needs no account and no configuration. Its secrets are known to everybody:
it listens on loopback, and does not start where NODE_ENV is "production".

Options:
      --host HOST          default 127.0.0.1
      --port PORT          default 4000; 0 takes a free one
      --data FILE          the SQLite file; default data/demo.db
      --dialect NAME       what the stand-in plays: cloud (default), or studio, a self-hosted Coze Studio with
                           one personal token for everybody
      --leak NAME          the stand-in mixes sessions up; shows what users see, what the guard does and what
                           a probe finds: static-conversation, shared-name, foreign-conversations,
                           shared-variables, shared-memory, shared-question, fixed-node-names,
                           unfiltered-knowledge
      --allow-production   start although NODE_ENV is "production"
`,
  probe: `Usage: coze-graphql-gateway probe [--config FILE | --gateway URL --token-file FILE] [--assistant ID]
                          [--trials N] [--budget N] [--format table|json|junit] [--bundle FILE]
                          [--ask TEXT] [--knowledge FILE]

Finds out whether the configured assistants keep sessions apart: sessions that never were tell them secrets
and are asked for each other's. Needs no running gateway. Names each layer that leaks, what is likely behind
it, and what to change. With --gateway, a running gateway does so, and keeps the verdict. Progress goes to
standard error. What a probe says may stay in an assistant's long-term memory: a staging copy of it is the
better one to try.

Options:
  -c, --config FILE     the configuration; default: the path in COZE_GATEWAY_CONFIG
      --gateway URL     the running gateway that is to do it
      --token-file FILE a bearer token with the operators' scope, for --gateway
      --assistant ID    only this one
      --trials N        pairs of sessions; default: probe.trials, which is 2
      --budget N        upstream calls at most, for each strategy of an assistant; default: probe.budget, 60
      --format FORMAT   table (default), json or junit
      --bundle FILE     write what the platform's support needs: ids, times, log ids; no secrets, no texts;
                        as Markdown if its name ends in .md, else as JSON
      --ask TEXT        a message that makes the assistant put a question and wait for the answer
      --knowledge FILE  facts of the knowledge base to ask for:
                        [{ "sessionName": …, "question": …, "value": … }]

Exit codes: 0 isolated, 1 leaking, 2 inconclusive, 3 could not run.

${configuration}`,
  init: `Usage: coze-graphql-gateway init [--config FILE] [--yes] [OPTIONS]

Writes a first configuration with comments, and beside it two keys that only you can read: session.key and
name.key. Asks at a terminal for what is not given; without a terminal, or with --yes, what is not given
stays a gap that check-config names. Nothing that exists is changed.

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
  schema: `Usage: coze-graphql-gateway schema

Prints the GraphQL schema (SDL) on standard output.
`,
  'check-config': `Usage: coze-graphql-gateway check-config [--config FILE] [--online] [--token FILE]

Reads the configuration as serve does, starts nothing, and lists every problem with its path on standard
error (exit code 2), or prints one line when all is well (exit code 0). No secret is shown.

With --online it tries every remote party (exit code 1 if one is not well). It fetches the key set of each
issuer. It checks each assistant as serve does at its start: it obtains an access token and an empty
conversation, deletes that again, and says what keeps sessions apart. What is wrong is shown with the host,
the call, the codes, and the page of the console that mends it.
Then it says "Hello." to each Workflow and Bot, and breaks that off at the first word of the answer: only a
run shows a wrong id, what is not published or not allowed, and a start parameter that is missing.
What it costs is that beginning of one answer for each, an "auto" assistant being two.

With --token it explains one user's bearer token: each check that passed or failed, what was found and what is
expected, the setting that decides, and the caller whom the token names. Exit code 1: it would be refused.
It shows claims of the token, so the token should be your own. Published keys are fetched for it.

Options:
  -c, --config FILE  the configuration; default: the path in COZE_GATEWAY_CONFIG
      --online       try every remote party as well
      --token FILE   the file with the token; - is standard input

${configuration}`,
}
