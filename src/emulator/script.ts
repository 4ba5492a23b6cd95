import { answer, isChinese } from './answers.ts'
import type { CardQuestion } from './cards.ts'
import { type Facts, factLines } from './facts.ts'
import { longText } from './long-text.ts'

/**
 * The scripted model: what it answers is a pure function of the text and of the conversation before it.
 *
 * Told "my X is Y" (我的X是Y) it remembers; asked "what is my X?" (我的X是什么？) it answers from the conversation or says
 * that it does not know; anything else it echoes. Commands may stand before the text, on one line or several; those that
 * take TEXT take the rest of their line.
 *
 * | command | effect |
 * | --- | --- |
 * | `/help` | says these commands |
 * | `/say TEXT` | an answer message of exactly this text |
 * | `/long N` | an answer of N numbered words |
 * | `/speed N`, `/slow N` | N words per second for this reply; 0 = no pauses |
 * | `/silent N`, `Ns`, `Nms` | silence of N seconds (or ms) before what follows |
 * | `/think TEXT` | reasoning before the next answer message |
 * | `/two` | the answer as two messages |
 * | `/followups` | three suggested questions after the answer |
 * | `/fail CODE TEXT` | the chat fails here, with this last error |
 * | `/error CODE TEXT` | an `error` event ends the stream here |
 * | `/tool NAME,… {…}` | a Bot asks for these functions' outputs, with these arguments; a Workflow cannot: an error |
 * | `/ask TEXT` | asks this question and waits: the Workflow's next message, or the Bot's tool output, answers it |
 * | `/choose TEXT \| A \| B` | the same with options, on a card where there are cards |
 * | `/form TEXT \| NAME:TYPE! \| …` | the same with an input form; `!` is a field that must be filled in |
 * | `/card TEXT` | an answer that is a card |
 * | `/object TEXT` | an answer that is an `object_string`: the text and a picture |
 * | `/audio` | speech, before and after the end of the chat |
 * | `/files`, `/params`, `/vars`, `/meta` | says the files, parameters, variables (`ext`), meta data of the message |
 * | `/keep NAME VALUE`, `/kept NAME` | stores a variable of the user; says it |
 */
export interface Script {
  /** Undefined: the emulator's own speed. */
  readonly wordsPerSecond: number | undefined
  readonly steps: readonly Step[]
}

export type Step =
  | { readonly kind: 'say'; readonly text: string; readonly reasoning: string }
  | { readonly kind: 'silence'; readonly ms: number }
  | { readonly kind: 'followUps'; readonly texts: readonly string[] }
  | { readonly kind: 'fail' | 'error'; readonly code: number; readonly msg: string }
  | { readonly kind: 'callTools'; readonly calls: readonly FunctionCall[] }
  | { readonly kind: 'ask'; readonly question: CardQuestion }
  | { readonly kind: 'card' | 'object'; readonly text: string }
  /** Base64. */
  | { readonly kind: 'audio'; readonly pieces: readonly string[] }
  | { readonly kind: 'keep'; readonly name: string; readonly value: string }

export interface FunctionCall {
  readonly name: string
  /** JSON. */
  readonly arguments: string
}

export const help =
  'Tell me "my X is Y" and ask "what is my X?"; or use /say TEXT, /long N, /speed N, /slow N, /silent 5s, /think TEXT, /two, /followups, /fail CODE TEXT, /error CODE TEXT, /tool NAME, /ask TEXT, /choose TEXT | A | B, /form TEXT | NAME:TYPE, /card TEXT, /object TEXT, /audio, /files, /params, /vars, /meta, /keep NAME VALUE, /kept NAME.'

/** @param history what users said before in this conversation, oldest first. */
export function writeScript(text: string, history: readonly string[], facts: Facts): Script {
  const steps: Step[] = []
  let wordsPerSecond: number | undefined
  let reasoning = ''
  let two = false
  let followUps = false
  let ended = false
  const say = (answer: string) => {
    steps.push({ kind: 'say', text: answer, reasoning })
    reasoning = ''
  }

  let rest = text.trim()
  for (let command = parseCommand(rest); command; command = parseCommand(rest)) {
    const { line, word } = command
    switch (command.name) {
      case 'help':
        say(help)
        rest = command.rest
        break
      case 'say':
        say(line.value)
        rest = line.rest
        break
      case 'long':
        say(longText(number(word.value)))
        rest = word.rest
        break
      case 'speed':
      case 'slow':
        wordsPerSecond = number(word.value)
        rest = word.rest
        break
      case 'silent':
        steps.push({ kind: 'silence', ms: milliseconds(word.value) })
        rest = word.rest
        break
      case 'think':
        reasoning = line.value
        rest = line.rest
        break
      case 'two':
        two = true
        rest = command.rest
        break
      case 'followups':
        followUps = true
        rest = command.rest
        break
      case 'fail':
      case 'error': {
        const [code = '', ...msg] = line.value.split(' ')
        steps.push({ kind: command.name, code: number(code), msg: msg.join(' ') || 'as asked' })
        ended = true
        rest = line.rest
        break
      }
      case 'tool':
        steps.push({ kind: 'callTools', calls: parseCalls(line.value) })
        ended = true
        rest = line.rest
        break
      case 'ask':
      case 'choose':
      case 'form':
        steps.push({ kind: 'ask', question: parseQuestion(command.name, line.value) })
        ended = true
        rest = line.rest
        break
      case 'card':
      case 'object':
        steps.push({ kind: command.name, text: line.value })
        rest = line.rest
        break
      case 'audio':
        steps.push({ kind: 'audio', pieces: ['UklGRg==', 'AAAA'] })
        rest = command.rest
        break
      case 'keep': {
        const [name = 'it', ...value] = line.value.split(' ')
        steps.push({ kind: 'keep', name, value: value.join(' ') })
        rest = line.rest
        break
      }
      case 'kept':
        say(facts.kept[word.value] ?? 'nothing')
        rest = word.rest
        break
      case 'files':
      case 'params':
      case 'vars':
      case 'meta':
        say(tell(command.name, facts))
        rest = command.rest
        break
    }
    if (ended) break
  }

  if (!ended) {
    if (rest !== '' || !steps.some(isAnswer)) say(answer(rest, history, facts))
    if (two) say(isChinese(rest) ? '还有一点。' : 'And one more thing.')
    if (followUps) steps.push({ kind: 'followUps', texts: suggestions })
  }
  return { wordsPerSecond, steps }
}

export function sayOnly(text: string): Script {
  return { wordsPerSecond: undefined, steps: [{ kind: 'say', text, reasoning: '' }] }
}

/** The pieces that are streamed one by one; joined they give the text again. */
export function words(text: string): readonly string[] {
  return text.match(/\p{Script=Han}{1,2}|[^\s\p{Script=Han}]+\s*|\s+/gu) ?? []
}

const suggestions = ['What else can you do?', 'Why is that?', 'Can you say it shorter?']
const names = [
  ...(['help', 'say', 'long', 'speed', 'slow', 'silent', 'think', 'two', 'followups'] as const),
  ...(['fail', 'error', 'tool', 'ask', 'choose', 'form', 'card', 'object', 'audio'] as const),
  ...(['files', 'params', 'vars', 'meta', 'kept', 'keep'] as const),
] as const

function parseCommand(text: string) {
  const name = names.find((known) => new RegExp(`^/${known}(?=\\s|$)`).test(text))
  if (name === undefined) return undefined
  const rest = text.slice(name.length + 1).replace(/^[^\S\n]+/, '')
  return { name, rest: rest.trimStart(), word: take(rest, /^\S*/), line: take(rest, /^[^\n]*/) }
}

function take(text: string, pattern: RegExp): { readonly value: string; readonly rest: string } {
  const [value = ''] = pattern.exec(text) ?? []
  return { value: value.trim(), rest: text.slice(value.length).trimStart() }
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

function parseQuestion(kind: 'ask' | 'choose' | 'form', text: string): CardQuestion {
  if (kind === 'ask') return { text: text || 'Which one?', options: [], fields: [] }
  const [title = '', ...parts] = text.split('|').map((part) => part.trim())
  if (kind === 'choose') return { text: title, options: parts, fields: [] }
  const fields = parts.map((part) => {
    const [, name = part, type = 'string', mark] = /^(\w+)(?::(\w+))?(!)?$/.exec(part) ?? []
    return { name, type, required: mark !== undefined }
  })
  return { text: title, options: [], fields }
}

function tell(what: 'files' | 'params' | 'vars' | 'meta', facts: Facts): string {
  switch (what) {
    case 'files':
      return facts.files.join('\n') || 'none'
    case 'params':
      return factLines(facts.parameters)
    case 'vars':
      return factLines(facts.variables)
    case 'meta':
      return factLines(facts.metaData)
  }
}

function number(text: string): number {
  const value = Number(text)
  return Number.isFinite(value) && value >= 0 ? value : 0
}

function milliseconds(text: string): number {
  const [, amount = '0', unit = 's'] = /^([\d.]+)(ms|s)?$/.exec(text) ?? []
  return number(amount) * (unit === 'ms' ? 1 : 1000)
}
