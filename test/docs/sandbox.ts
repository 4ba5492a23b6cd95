import { execFile } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type RunningDemo, startDemo } from '../kit/process/demo.ts'
import { createTestApp, publicPart, startEmulator } from '../kit/process/emulator.ts'
import { openKeyServer } from '../kit/credentials/jwks.ts'
import { readmeSettings } from './example-config.ts'
import { root } from './markdown.ts'

/** What a reader of README has before them: the repository, a running demo, and a platform that knows their ids. */
export interface Sandbox extends AsyncDisposable {
  /** Stands for the repository. */
  readonly directory: string
  /**
   * Puts the addresses of the demo and of the platform where a document has `http://localhost:4000` and
   * `http://localhost:4100`, and the last reply where it has REPLY_ID.
   */
  localize(text: string): string
  /** Runs commands as they stand in a document. */
  run(commands: string): Promise<Outcome>
  /** Runs a program of Node with `TOKEN`, in the repository. */
  node(file: string): Promise<Outcome>
}

export interface Outcome {
  readonly code: number
  readonly output: string
}

/** What is there before the first test: it was installed, and it is tested right now. */
const asInstalled = `
npm() {
  case "$*" in
    ci | test) ;;
    'run demo'*)
      local shown='Ctrl-C ends'
      case "$*" in *--leak*) shown='^After the remedy|nobody can guess, so' ;; esac
      shift 2; [ "\${1-}" != -- ] || shift
      until_shown "$shown" npm run demo -- --port 0 --data "data/$RANDOM.db" "$@" ;;
    'run serve'*) until_shown '"listening"' npm "$@" ;;
    *) command npm "$@" ;;
  esac
}
npx() {
  case "$*" in
    *' init '*)
      rm -f gateway.json session.key name.key
      command npx --no-install "$@"
      sed -i "s|https://api.coze.cn|$PLATFORM|; s|\\"audience\\": \\"coze-graphql-gateway\\"|&, \\"jwksUrl\\": \\"$KEY_SET\\"|" gateway.json ;;
    *' emulator '*)
      # npx does not pass a signal on.
      shift; until_shown '"url"' node src/bin.mjs "$@" --port 0 ;;
    *) command npx --no-install "$@" ;;
  esac
}
# Runs what runs until it is told to stop, and tells it so when it has shown a line.
until_shown() {
  local pattern=$1 log; shift
  log=$(mktemp)
  command "$@" >"$log" 2>&1 &
  local pid=$!
  until grep -qE "$pattern" "$log"; do kill -0 $pid || { cat "$log"; return 1; }; sleep 0.1; done
  kill -TERM $pid
  wait $pid
  local code=$?
  cat "$log"; rm "$log"
  return $code
}
`

export async function openSandbox(): Promise<Sandbox> {
  await using stack = new AsyncDisposableStack()
  const repository = fileURLToPath(root)
  // Below the repository, so that imports are resolved as they would be there.
  await mkdir(join(repository, 'data'), { recursive: true })
  const directory = await mkdtemp(join(repository, 'data', 'docs-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  for (const name of ['package.json', 'node_modules', 'src', 'schema'])
    await symlink(join(repository, name), join(directory, name))

  const app = createTestApp({ appId: '1150000000000', keyId: 'the-fingerprint' })
  const emulator = stack.use(
    await startEmulator({
      apps: [publicPart(app)],
      personalAccessTokens: [{ token: 'pat_demo', accountId: 'account-1' }],
      workflows: [{ workflowId: '7400000000000000002', appId: '7400000000000000001' }],
      wordsPerSecond: 0,
    }),
  )
  const jwk = createPublicKey(createTestApp().publicKeyPem).export({ format: 'jwk' })
  const keys = stack.use(await openKeyServer({ ...jwk, kid: 'key-1', alg: 'RS256' }))
  const files = {
    'gateway.json': JSON.stringify(readmeSettings())
      .replace('https://api.coze.cn', emulator.url)
      .replace(
        '"audience":"coze-graphql-gateway"',
        (audience) => `${audience},"jwksUrl":"${keys.url}"`,
      ),
    'coze.pem': app.privateKeyPem,
    'session.key': 'a session key of this test alone, 48 characters…',
    'name.key': 'a name key of this test alone, of 48 characters…',
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)

  const demo = stack.use(await startDemo())
  const { url, token } = addressOf(demo)
  const env = {
    ...inherited(),
    TOKEN: token,
    PLATFORM: emulator.url,
    KEY_SET: keys.url,
    COZE_GATEWAY_LISTEN_PORT: '0',
    // Two documents make keys of their own, which a file of the other's would not know.
    COZE_GATEWAY_STORE: 'sqlite::memory:',
  }
  let lastReply = ''
  const owned = stack.move()

  async function execute(command: string, args: readonly string[]): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const options = { cwd: directory, timeout: 200_000, env }
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, output: stdout + stderr })
    })
    const outcome = await promise
    lastReply = /"reply":\{"id":"([^"]+)"/.exec(outcome.output)?.[1] ?? lastReply
    return outcome
  }
  const localize = (text: string) =>
    text
      .replaceAll('//localhost:4000', `//${new URL(url).host}`)
      .replaceAll('http://localhost:4100', emulator.url)
      .replaceAll('REPLY_ID', lastReply)

  return {
    directory,
    localize,
    run: (commands) =>
      execute('bash', ['--norc', '-uc', `${asInstalled}\nset -e\n${localize(commands)}`]),
    node: (file) => execute(process.execPath, [file]),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Where the demo is, and the token of its first caller. */
function addressOf(demo: RunningDemo): { readonly url: string; readonly token: string } {
  const { send } = demo.commandsOf('Alice')
  const [, url = ''] = /(http:\/\/[^/\s]+)/.exec(send) ?? []
  const [, token = ''] = /Bearer ([\w.-]+)/.exec(send) ?? []
  return { url, token }
}

/** The environment of a shell, without what vitest sets for its own workers. */
function inherited(): Readonly<Record<string, string>> {
  // oxlint-disable-next-line node/no-process-env
  const { PATH = '', HOME = '' } = process.env
  return { PATH, HOME }
}
