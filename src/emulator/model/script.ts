import { answer, isChinese, type ModelInput } from './answers.ts'
import type { ChatQuestion } from './cards.ts'

/**
 * What the scripted model does with a message: a pure function of the text, of the conversation before it and of the
 * model's input. Commands may stand before the text; docs/emulator.md#commands describes them.
 */
export interface Script {
  /** Undefined: the speed of the option `wordsPerSecond`. */
  readonly wordsPerSecond: number | undefined
  readonly steps: readonly Step[]
}

/** `fail`: the chat fails. `error`: an `error` event ends the stream. */
export type FailureKind = 'fail' | 'error'

export type Step =
  | { readonly kind: 'say'; readonly text: string; readonly reasoning: string }
  | { readonly kind: 'silence'; readonly ms: number }
  | { readonly kind: 'followUps'; readonly texts: readonly string[] }
  | { readonly kind: FailureKind; readonly code: number; readonly msg: string }
  /** The platform calls its own plugins. */
  | { readonly kind: 'callPlugins'; readonly calls: readonly FunctionCall[] }
  | { readonly kind: 'note'; readonly type: string }
  /** The chat asks its caller for the outputs of functions. */
  | { readonly kind: 'callTools'; readonly calls: readonly FunctionCall[] }
  | { readonly kind: 'ask'; readonly question: ChatQuestion }
  | { readonly kind: 'card' | 'object'; readonly text: string }
  /** Base64. */
  | { readonly kind: 'audio'; readonly pieces: readonly string[] }
  | { readonly kind: 'keep'; readonly name: string; readonly value: string }

export interface FunctionCall {
  readonly name: string
  /** JSON. */
  readonly arguments: string
}

/** The commands, each with what it takes: nothing, a word, or the rest of its line. */
export const scriptCommands = {
  help: 'nothing',
  say: 'line',
  long: 'word',
  speed: 'word',
  slow: 'word',
  silent: 'word',
  think: 'line',
  two: 'nothing',
  followups: 'nothing',
  fail: 'line',
  error: 'line',
  tool: 'line',
  plugin: 'line',
  verbose: 'line',
  ask: 'line',
  choose: 'line',
  form: 'line',
  card: 'line',
  object: 'line',
  audio: 'nothing',
  files: 'nothing',
  params: 'nothing',
  vars: 'nothing',
  meta: 'nothing',
  keep: 'line',
  kept: 'word',
} as const

export const help =
  'Tell me "my X is Y" and ask "what is my X?"; or use /say TEXT, /long N, /speed N, /slow N, /silent 5s, /think TEXT, /two, /followups, /fail CODE TEXT, /error CODE TEXT, /tool NAME, /plugin NAME, /verbose TYPE, /ask TEXT, /choose TEXT | A | B, /form TEXT | NAME:TYPE, /card TEXT, /object TEXT, /audio, /files, /params, /vars, /meta, /keep NAME VALUE, /kept NAME.'

/**
 * The script of the reply to a text.
 * @param history what users said before in this conversation, oldest first.
 */
export function writeScript(text: string, history: readonly string[], input: ModelInput): Script {
  const steps: Step[] = []
  let wordsPerSecond: number | undefined
  let reasoning = ''
  let two = false
  let followUps = false
  const say = (said: string) => {
    steps.push({ kind: 'say', text: said, reasoning })
    reasoning = ''
  }

  let rest = text.trim()
  for (let command = parseCommand(rest); command; command = parseCommand(rest)) {
    const { name, argument } = command
    rest = command.rest
    switch (name) {
      case 'help':
        say(help)
        break
      case 'say':
        say(argument)
        break
      case 'long':
        say(longText(parseNumber(argument)))
        break
      case 'speed':
      case 'slow':
        wordsPerSecond = parseNumber(argument)
        break
      case 'silent':
        steps.push({ kind: 'silence', ms: parseMilliseconds(argument) })
        break
      case 'think':
        reasoning = argument
        break
      case 'two':
        two = true
        break
      case 'followups':
        followUps = true
        break
      case 'fail':
      case 'error': {
        const [code = '', ...msg] = argument.split(' ')
        steps.push({ kind: name, code: parseNumber(code), msg: msg.join(' ') || 'as asked' })
        return { wordsPerSecond, steps }
      }
      case 'tool':
        steps.push({ kind: 'callTools', calls: parseCalls(argument) })
        return { wordsPerSecond, steps }
      case 'plugin':
        steps.push({ kind: 'callPlugins', calls: parseCalls(argument) })
        break
      case 'verbose':
        steps.push({ kind: 'note', type: argument || 'knowledge_recall' })
        break
      case 'ask':
      case 'choose':
      case 'form':
        steps.push({ kind: 'ask', question: parseQuestion(name, argument) })
        return { wordsPerSecond, steps }
      case 'card':
      case 'object':
        steps.push({ kind: name, text: argument })
        break
      case 'audio':
        steps.push({ kind: 'audio', pieces: ['UklGRg==', 'AAAA'] })
        break
      case 'keep': {
        const [variable = 'it', ...value] = argument.split(' ')
        steps.push({ kind: 'keep', name: variable, value: value.join(' ') })
        break
      }
      case 'kept':
        say(input.storedVariables[argument] ?? 'nothing')
        break
      case 'files':
        say(input.files.join('\n') || 'none')
        break
      case 'params':
        say(describe(input.parameters))
        break
      case 'vars':
        say(describe(input.variables))
        break
      case 'meta':
        say(describe(input.metaData))
        break
    }
  }

  if (rest !== '' || !steps.some(isAnswer)) say(answer(rest, history, input))
  if (two) say(isChinese(rest) ? '还有一点。' : 'And one more thing.')
  if (followUps) steps.push({ kind: 'followUps', texts: suggestions })
  return { wordsPerSecond, steps }
}

/** A script that says one text. */
export function sayOnly(text: string): Script {
  return { wordsPerSecond: undefined, steps: [{ kind: 'say', text, reasoning: '' }] }
}

const suggestions = ['What else can you do?', 'Why is that?', 'Can you say it shorter?']

type CommandName = keyof typeof scriptCommands

const argumentPatterns = { nothing: /^/, word: /^\S*/, line: /^[^\n]*/ }

function parseCommand(text: string) {
  const [, word = ''] = /^\/(\w+)(?=\s|$)/.exec(text) ?? []
  if (!isCommand(word)) return undefined
  const after = text.slice(word.length + 1).replace(/^[^\S\n]+/, '')
  const [argument = ''] = argumentPatterns[scriptCommands[word]].exec(after) ?? []
  const rest = after.slice(argument.length).trimStart()
  return { name: word, argument: argument.trim(), rest }
}

function isCommand(word: string): word is CommandName {
  return Object.hasOwn(scriptCommands, word)
}

function isAnswer({ kind }: Step): boolean {
  return kind === 'say' || kind === 'card' || kind === 'object'
}

/** `lookup,weather {"of": "x"}` */
function parseCalls(text: string): readonly FunctionCall[] {
  const [, names = '', json = ''] = /^([^\s{]*)\s*(\{.*\})?/.exec(text) ?? []
  const args = json || JSON.stringify({ query: 'on demand' })
  return (names || 'lookup').split(',').map((name) => ({ name, arguments: args }))
}

function parseQuestion(kind: 'ask' | 'choose' | 'form', text: string): ChatQuestion {
  if (kind === 'ask') return { text: text || 'Which one?', options: [], fields: [] }
  const [title = '', ...parts] = text.split('|').map((part) => part.trim())
  if (kind === 'choose') return { text: title, options: parts, fields: [] }
  const fields = parts.map((part) => {
    const [, name = part, type = 'string', mark] = /^(\w+)(?::(\w+))?(!)?$/.exec(part) ?? []
    return { name, type, required: mark !== undefined }
  })
  return { text: title, options: [], fields }
}

/** `name=value` lines in the order of their names. */
function describe(values: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(values).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return lines.sort().join('\n') || 'none'
}

const maxWords = 1_000_000
const nouns = ['river', 'stone', 'lamp', 'orchard', 'signal', 'harbour', 'thread', 'winter']

/** A text of `count` numbered words, so that a gap or a doubled piece shows. */
export function longText(count: number): string {
  const parts: string[] = []
  for (let i = 1; i <= Math.min(count, maxWords); i++) parts.push(`${nouns[i % nouns.length]}-${i}`)
  return parts.join(' ')
}

function parseNumber(text: string): number {
  const value = Number(text)
  return Number.isFinite(value) && value >= 0 ? value : 0
}

function parseMilliseconds(text: string): number {
  const [, amount = '0', unit = 's'] = /^([\d.]+)(ms|s)?$/.exec(text) ?? []
  return parseNumber(amount) * (unit === 'ms' ? 1 : 1000)
}
