import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath } from 'node:url'
import { configJsonSchema, type SettingSchema } from '../config/schema.ts'
import { isPlain } from '../lib/plain.ts'
import { UsageError } from './usage-error.ts'

/** What a first configuration needs to know; each is an option of the command, too. */
export const initQuestions = {
  'base-url': 'Base URL of the Coze API',
  'workflow-id': 'Id of the Workflow (empty: a Bot)',
  'app-id': 'Id of the app that the Workflow belongs to',
  'bot-id': 'Id of the Bot',
  'oauth-app-id': 'Id of the OAuth app of type JWT',
  'key-id': 'Fingerprint of its public key',
  'private-key': 'File of its private key',
  issuer: 'Issuer ("iss") of the tokens of your users',
  audience: 'Audience ("aud") of these tokens',
  'jwks-url': "URL of the issuer's key set, empty to have it discovered",
} as const
type Name = keyof typeof initQuestions

export interface InitOptions {
  /** The file to write; its keys are written beside it. */
  readonly file: string
  readonly given: Readonly<Partial<Record<Name, string | undefined>>>
  /** Returns what a person answers, or nothing. Undefined: nobody is there to be asked. */
  readonly ask: ((question: string) => Promise<string>) | undefined
  readonly print: (text: string) => Promise<unknown>
}

/**
 * Writes a first configuration and its two keys, and says what to do next. What is not known stays a gap that
 * `check-config` names. Nothing that exists is changed.
 * @throws {@link UsageError} when the file exists
 */
export async function runInit({ file, given, ask, print }: InitOptions): Promise<0> {
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
      ...(gaps === 0 ? [] : [`${gaps} values are still to be filled in: they stand in < >`]),
      `next: npx coze-graphql-gateway check-config --config ${file} --online`,
      '',
    ].join('\n'),
  )
  return 0
}

/** Asks at the terminal. Dispose it to let go of the terminal. */
export function openTerminal(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Disposable & { ask(question: string): Promise<string> } {
  const terminal = createInterface({ input, output })
  const closed = new AbortController()
  terminal.once('close', () => closed.abort(new UsageError('broken off: nothing was written')))
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

/** A lost key makes every session a new one, so one that exists is kept. */
function writeKey(path: string): string {
  if (existsSync(path)) return `kept ${path}`
  writeFileSync(path, `${randomBytes(48).toString('base64')}\n`, { flag: 'wx', mode: 0o600 })
  return `wrote ${path}: only you can read it; keep a copy, it lasts as long as the store`
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

/** Lines of at most 90 characters. */
function wrap(text: string): readonly string[] {
  return text.match(/.{1,90}(?= |$)/g)?.map((line) => line.trim()) ?? []
}
