import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { leakStories } from '../../../src/demo/leaks.ts'
import { suggestionsOf } from '../../../src/demo/stage.ts'
import { breachWays } from '../../../src/isolation/breaches.ts'
import { sentences, toChinese } from '../../../src/pages/words/sentences.ts'
import { type AdviceSubject, adviseOnFinding } from '../../../src/probe/finding-advice.ts'
import { isolated } from '../../../src/probe/findings.ts'
import { botLayers, identityLayer, workflowLayers } from '../../../src/strategy/keys.ts'

/** The sentences that a source says as they stand, and its templates with a number in each place. */
function literalsOf(file: string): readonly string[] {
  const source = readFileSync(new URL(`../../../src/${file}`, import.meta.url), 'utf8')
  const code = source.replaceAll(/\/\*.*?\*\/|\/\/[^\n]*/gs, '')
  return [...code.matchAll(/'((?:[^'\\\n]|\\.)*)'|"([^"\n]*)"|`([^`]*)`/g)]
    .map(([, single, double, template]) => single ?? double ?? template ?? '')
    .map((text) => text.replaceAll(/\$\{[^}]*\}/g, '7'))
}

const subjects = Object.keys({
  conversation: 0,
  variables: 0,
  'long-term-memory': 0,
  knowledge: 0,
  'pending-question': 0,
  identity: 0,
  'conversation-name': 0,
  'conversation-id': 0,
  'nothing-recalled': 0,
  'form-unanswered': 0,
  'answers-invented': 0,
} satisfies Record<AdviceSubject, 0>) as readonly AdviceSubject[]

function* advice(): Generator<string> {
  for (const subject of subjects)
    for (const strategy of ['workflow', 'bot'] as const)
      for (const platform of ['cloud', 'studio'] as const)
        for (const hasSharedToken of [false, true]) {
          const { cause, remedy } = adviseOnFinding(subject, { strategy, platform, hasSharedToken })
          yield cause
          yield remedy
        }
}

function* findings(): Generator<string> {
  const isSentence = (text: string) => /^[A-Z].* .*\.$/.test(text)
  // What it says to the assistant, and not to operators.
  const isOurs = (text: string) => text !== 'Good morning.'
  for (const file of ['probe/findings.ts', 'probe/layer-tests.ts', 'probe/assistant-isolation.ts'])
    for (const text of literalsOf(file).filter(isSentence).filter(isOurs)) {
      const isTemplate = text.includes('7')
      if (!isTemplate) yield text
    }
  for (const what of ['name', 'id']) {
    const seen = `The platform lets a stranger who knows the ${what} of a conversation into it.`
    yield seen
    yield `No session was told the secret of another. Note: ${seen} Nobody can guess those of the gateway.`
  }
  for (const questions of [1, 2, 59])
    yield isolated('conversation', 'No session was told the secret of another.', questions).reason
  for (const { what } of Object.values(breachWays)) yield what
}

function* keys(): Generator<string> {
  const workflow = { sessionParameter: 'SESSION_NAME' } as Parameters<typeof workflowLayers>[0]
  const bot = { sessionVariable: 'SESSION_NAME' } as Parameters<typeof botLayers>[0]
  for (const hasSharedToken of [false, true]) {
    const identity = identityLayer(hasSharedToken)
    const app = { ...workflow, appId: '7002' } as typeof workflow
    const layers = [
      ...workflowLayers(workflow, 'create', identity),
      ...workflowLayers(app, 'create', identity),
      ...workflowLayers(app, 'name', identity),
      ...botLayers(bot, identity),
    ]
    for (const { keyedBy } of layers) yield keyedBy
  }
}

function* steps(): Generator<string> {
  for (const kind of ['workflow', 'bot']) yield `support as a ${kind}`
  for (const file of ['probe/probe.ts', 'probe/layer-tests.ts'])
    for (const text of literalsOf(file)) {
      // How a trial failed is told in the platform's words.
      if (/^[a-z].*( the | a |two sessions).*[a-z]$/.test(text) && !text.includes('not finished'))
        yield text
    }
}

function* reasons(): Generator<string> {
  for (const text of literalsOf('strategy/select.ts'))
    if (text === 'configured' || / (is|was) /.test(text))
      if (!text.startsWith('The assistant')) yield text.replace('the 7', 'the workflow')
  yield 'the bot is out of service: LEAKING'
}

/** What is the same in all languages, or what the stand-in for Coze knows in English alone. */
const untranslated = ['/help', '/tool weather', 'what is my account?']

function* demo(): Generator<string> {
  const texts = [
    ...['Alice', 'Bob'].flatMap((name) => suggestionsOf({ name })),
    ...Object.values(leakStories).flatMap(({ talk }) => talk.map(([, text]) => text)),
  ]
  yield* texts.filter((text) => !untranslated.includes(text))
}

const said = { findings, advice, keys, steps, reasons, demo }
const english = Object.fromEntries(
  Object.entries(said).map(([name, texts]) => [name, [...new Set(texts())]]),
)

describe('what the gateway says to operators', () => {
  it.each(Object.entries(english))('can be read in Chinese: %s', (_, texts) => {
    expect(texts.length).toBeGreaterThan(3)
    for (const text of texts) expect(toChinese(text), text).toMatch(/[\u4e00-\u9fff]/)
  })

  it('keeps numbers, names and addresses', () => {
    expect(
      toChinese(
        'This rests on 12 cross questions: with 95 % confidence, at most 23 % of them would leak.',
      ),
    ).toBe('依据 12 次交叉提问：在 95 % 的置信度下，最多有 23 % 会泄漏。')
    expect(
      toChinese(
        'Each session has an access token of its own. See docs/isolation.md#shared-tokens.',
      ),
    ).toBe('每个会话都有自己的访问令牌。参见 docs/isolation.md#shared-tokens。')
  })

  it('stays English where a part of it is not known', () => {
    expect(toChinese('Each session has an access token of its own. Unheard of.')).toBeUndefined()
  })

  it('has no translation of what is said no more', () => {
    const texts = Object.values(english).flat()
    const isSaid = (pattern: RegExp) => {
      const anywhere = new RegExp(pattern.source.replace('^', '(?:^|(?<= ))'))
      return texts.some((text) => anywhere.test(text))
    }
    const unsaid = sentences.filter(({ pattern }) => !isSaid(pattern))
    expect(unsaid.map(({ pattern }) => pattern.source)).toEqual([])
  })
})
