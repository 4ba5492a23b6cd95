import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath } from 'node:url'
import { configJsonSchema, type SettingSchema } from '../config/schema.ts'
import { isPlain } from '../lib/plain.ts'
import { initQuestions, type Options, valueOf } from './options.ts'
import { UsageError } from './usage-error.ts'

type Name = keyof typeof initQuestions

/** Reads the options and, at a terminal, asks for what they do not say. */
export async function runInit(
  options: Options,
  print: (text: string) => Promise<unknown>,
): Promise<0> {
  const { stdin, stderr } = process
  const isAttended = stdin.isTTY && stderr.isTTY && options['yes'] !== true
  using terminal = isAttended ? openTerminal(stdin, stderr) : undefined
  return await writeConfiguration({
    file: valueOf(options, 'config') ?? 'gateway.json',
    given: Object.fromEntries(
      Object.keys(initQuestions).map((name) => [name, valueOf(options, name)]),
    ),
    ask: terminal && ((question) => terminal.ask(question)),
    print,
  })
}

interface ConfigurationOptions {
  /** The file to write. Its keys are written beside it. */
  readonly file: string
  readonly given: Readonly<Partial<Record<Name, string | undefined>>>
  /** Asks a person. Undefined: nobody can be asked. */
  readonly ask: ((question: string) => Promise<string>) | undefined
  readonly print: (text: string) => Promise<unknown>
}

/**
 * Writes a first configuration and its two keys, and says what to do next. Missing values are marked, and `check-config`
 * names them. Existing files are not changed.
 * @throws {@link UsageError} when the file exists
 */
async function writeConfiguration({ file, given, ask, print }: ConfigurationOptions): Promise<0> {
  if (existsSync(file)) throw new UsageError(`${file} exists already: nothing was written`)
  const answer = async (name: Name, proposal = '') => {
    if (given[name] !== undefined) return given[name]
    const shown = proposal === '' ? '' : ` [${proposal}]`
    return (await ask?.(`${initQuestions[name]}${shown}: `))?.trim() || proposal
  }
  const baseUrl = await answer('base-url', 'https://api.coze.com')
  const workflowId = given['bot-id'] === undefined ? await answer('workflow-id') : ''
  const isBot = workflowId === '' && (ask !== undefined || given['bot-id'] !== undefined)
  const target = isBot
    ? { strategy: 'bot', bot: { botId: (await answer('bot-id')) || '<bot id>' } }
    : {
        strategy: 'workflow',
        workflow: {
          workflowId: workflowId || '<workflow id>',
          appId: (await answer('app-id')) || '<app id>',
        },
      }
  const credentials = {
    type: 'oauth',
    appId: (await answer('oauth-app-id')) || '<OAuth app id>',
    keyId: (await answer('key-id')) || '<public key fingerprint>',
    privateKey: { file: await answer('private-key', 'coze.pem') },
  }
  const issuer = (await answer('issuer')) || '<issuer>'
  const audience = await answer('audience', 'coze-graphql-gateway')
  const jwksUrl = await answer('jwks-url')

  const { strategy, ...section } = target
  const settings = {
    $schema: schemaAddress(file),
    listen: { host: '127.0.0.1', port: 4000 },
    issuers: [{ issuer, audience, ...(jwksUrl !== '' && { jwksUrl }) }],
    session: {
      key: { file: 'session.key' },
      nameKeys: [{ version: 1, key: { file: 'name.key' } }],
    },
    assistants: [
      { id: 'assistant', name: 'Assistant', strategy, baseUrl, credentials, ...section },
    ],
    store: 'sqlite:data/gateway.db',
  }
  const directory = dirname(file)
  mkdirSync(directory, { recursive: true })
  const keys = ['session.key', 'name.key'].map((name) => writeKey(join(directory, name)))
  const text = `// All settings are described in docs/configuration.md.\n${written(settings, configJsonSchema())}\n`
  writeFileSync(file, text, { flag: 'wx' })
  const gaps = text.match(/: "<[^"]*>"/g)?.length ?? 0
  await print(
    [
      ...keys,
      `wrote ${file}`,
      ...(gaps === 0 ? [] : [`fill in ${gaps} values: they are written as "<…>"`]),
      `next: npx coze-graphql-gateway check-config --config ${file} --online`,
      '',
    ].join('\n'),
  )
  return 0
}

/** Asks questions at the terminal. Dispose it to close the terminal's reader. */
function openTerminal(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Disposable & { ask(question: string): Promise<string> } {
  const terminal = createInterface({ input, output })
  const closed = new AbortController()
  terminal.once('close', () => closed.abort(new UsageError('stopped: nothing was written')))
  return {
    async ask(question) {
      try {
        return await terminal.question(question, { signal: closed.signal })
      } catch (error) {
        closed.signal.throwIfAborted()
        throw error
      }
    },
    [Symbol.dispose]: () => terminal.close(),
  }
}

/** With another key a store does not open, so a key that exists is kept. */
function writeKey(path: string): string {
  if (existsSync(path)) return `kept ${path}`
  writeFileSync(path, `${randomBytes(48).toString('base64')}\n`, { flag: 'wx', mode: 0o600 })
  return `wrote ${path}: only you can read it. Keep a copy: it must not change while the store is in use`
}

function schemaAddress(file: string): string {
  const schema = fileURLToPath(new URL('../../schema/config.schema.json', import.meta.url))
  const path = relative(dirname(file), schema).replaceAll('\\', '/')
  return path.startsWith('.') ? path : `./${path}`
}

/** JSON with the description of each setting before it. */
function written(value: unknown, schema: SettingSchema | undefined, indent = ''): string {
  const inner = `${indent}  `
  if (Array.isArray(value)) {
    const items = value.map((item) => `${inner}${written(item, schema?.items, inner)}`)
    return `[\n${items.join(',\n')}\n${indent}]`
  }
  if (!isPlain(value)) return JSON.stringify(value)
  const known = schema?.oneOf?.find((one) => one.properties?.['type']?.const === value['type'])
  const { properties } = known ?? schema ?? {}
  // A reference to a file.
  if (properties === undefined) return JSON.stringify(value).replaceAll(/(?<=[{:])|(?=})/g, ' ')
  const lines = Object.entries(value).map(([name, part]) => {
    const setting = properties[name]
    const comment = setting?.description === undefined ? [] : wrap(setting.description)
    const text = `${JSON.stringify(name)}: ${written(part, setting, inner)}`
    return [...comment.map((line) => `// ${line}`), text]
      .map((line) => `${inner}${line}`)
      .join('\n')
  })
  return `{\n${lines.join(',\n')}\n${indent}}`
}

/** Lines of at most 90 characters, in which a link to a document is its path in the repository. */
function wrap(text: string): readonly string[] {
  const plain = text.replaceAll(/\[[^\]]+\]\(([^)]+)\)/g, 'docs/$1')
  return plain.match(/.{1,90}(?= |$)/g)?.map((line) => line.trim()) ?? []
}
