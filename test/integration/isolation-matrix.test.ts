import { createHash } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import type { DialectName, Leak } from '../../src/emulator/options.ts'
import { type LayerVerdict, type ProbeLayer, probeLayers } from '../../src/domain/isolation.ts'
import type { ProbeReport } from '../../src/domain/probe.ts'
import { probeConfig } from '../../src/compose/probe.ts'
import { asking, openProbed } from '../kit/process/probed.ts'
import { figure, isSoak } from '../kit/process/soak.ts'

/** All are for `npm run test:isolation-matrix`. */
const seeds = figure(2, 20)
const switches: readonly Leak[] = [
  'staticConversation',
  'sharedName',
  'foreignConversations',
  'sharedQuestion',
  'sharedVariables',
  'unfilteredKnowledge',
]
/** What outlives conversations: a Studio has no memory node, but nodes that keep things under names. */
const memories: Readonly<Record<DialectName, Leak>> = {
  cloud: 'sharedMemory',
  studio: 'fixedNodeNames',
}

/** Nothing, each, and each two; of a Studio those are for the full figure. */
function combinationsOf(dialect: DialectName): readonly (readonly Leak[])[] {
  const all = [...switches, memories[dialect]]
  const pairs = all.flatMap((one, at) => all.slice(at + 1).map((other) => [one, other]))
  return [[], ...all.map((one) => [one]), ...(dialect === 'cloud' || isSoak ? pairs : [])]
}
const forever = new AbortController().signal

type Expected = Readonly<Record<ProbeLayer, LayerVerdict>>

interface Probed {
  readonly dialect: DialectName
  readonly strategy: 'workflow' | 'bot'
}

/** What can be told of each layer when these leak, and the model keeps all it is told in variables and in memory. */
function expectedOf({ dialect, strategy }: Probed, leaks: readonly Leak[]): Expected {
  const has = (leak: Leak) => leaks.includes(leak)
  // A Bot's conversations are no app's, and its questions are tool calls of their own chat.
  const isStatic = strategy === 'workflow' && has('staticConversation')
  const isAsked = strategy === 'workflow' && (has('sharedQuestion') || isStatic)
  const isHidden = has('sharedVariables') || has('sharedMemory')
  if (dialect === 'studio') {
    // No call shows its variables: they are told from nodes with fixed names by nothing.
    const isKept = has('sharedVariables') || (strategy === 'workflow' && has('fixedNodeNames'))
    return {
      conversation: isStatic ? 'LEAKING' : isKept ? 'NOT_TESTED' : 'ISOLATED',
      variables: 'NOT_TESTED',
      'long-term-memory': isStatic ? 'NOT_TESTED' : isKept ? 'LEAKING' : 'ISOLATED',
      knowledge: has('unfilteredKnowledge') ? 'LEAKING' : 'ISOLATED',
      'pending-question': strategy === 'bot' ? 'NOT_TESTED' : isAsked ? 'LEAKING' : 'ISOLATED',
      identity: 'NOT_TESTED',
    }
  }
  return {
    conversation: isStatic ? 'LEAKING' : isHidden ? 'NOT_TESTED' : 'ISOLATED',
    variables: has('sharedVariables') ? 'LEAKING' : 'ISOLATED',
    'long-term-memory': isStatic ? 'NOT_TESTED' : has('sharedMemory') ? 'LEAKING' : 'ISOLATED',
    knowledge: has('unfilteredKnowledge') ? 'LEAKING' : 'ISOLATED',
    'pending-question': isAsked ? 'LEAKING' : 'ISOLATED',
    identity: 'ISOLATED',
  }
}

/** By what a stranger gets into a conversation, were it to get out: by nothing that the gateway shows. */
function entranceOf({ dialect, strategy }: Probed, leaks: readonly Leak[]): 'name' | 'id' | null {
  if (strategy === 'workflow' && leaks.includes('staticConversation')) return null
  // All are one there.
  if (dialect === 'studio') return 'id'
  if (strategy === 'workflow' && leaks.includes('sharedName')) return 'name'
  return leaks.includes('foreignConversations') ? 'id' : null
}

function verdictsOf({ findings }: ProbeReport): Partial<Record<ProbeLayer, LayerVerdict>> {
  return Object.fromEntries(findings.map(({ layer, verdict }) => [layer, verdict]))
}

/** Ids that a seed repeats. */
function seeded(seed: number): () => string {
  let count = 0
  return () => {
    count += 1
    return createHash('sha256').update(`${seed} ${count}`).digest('base64url').slice(0, 22)
  }
}

const marks = { ISOLATED: '·', LEAKING: 'L', INCONCLUSIVE: '?', NOT_TESTED: '-' }

describe('the confusion matrix of the probe', () => {
  const rows: string[] = []
  afterAll(() => {
    const head = `${''.padEnd(62)}${probeLayers.map((layer) => layer.slice(0, 12).padEnd(14)).join('')}`
    console.log(
      [
        head,
        ...rows,
        '· isolated, L leaking, - hidden by another leak,',
        '! open to whoever knows a name or an id, which those of the gateway are not',
      ].join('\n'),
    )
  })

  describe.each<Probed>([
    { dialect: 'cloud', strategy: 'workflow' },
    { dialect: 'cloud', strategy: 'bot' },
    { dialect: 'studio', strategy: 'workflow' },
    { dialect: 'studio', strategy: 'bot' },
  ])('of a $strategy ($dialect)', (kind) => {
    const { dialect, strategy } = kind
    const remembers = { variables: true, longTermMemory: dialect === 'cloud' }
    it.each(
      combinationsOf(dialect).map((leaks) => [leaks.join(' and ') || 'nothing', leaks] as const),
    )(
      'names what leaks, and only that, when %s leaks',
      async (name, leaks) => {
        const expected = expectedOf(kind, leaks)
        const entrance = entranceOf(kind, leaks)
        for (let seed = 1; seed <= seeds; seed += 1) {
          await using probed = await openProbed(strategy, leaks, { remembers }, dialect)
          const newId = seeded(seed)
          const dependencies = { newId, random: () => 0.5 }
          const [report] = await probeConfig(
            probed.config,
            { trials: 1, ...asking },
            dependencies,
            forever,
          )
          if (!report) throw new Error('there is no report')
          expect({ seed, ...verdictsOf(report) }).toEqual({ seed, ...expected })
          expect(report.verdict).toBe(
            Object.values(expected).includes('LEAKING') ? 'LEAKING' : 'ISOLATED',
          )
          for (const { layer, verdict, reason, cause, remedy } of report.findings) {
            expect(reason).not.toBe('')
            const isOpen = layer === 'conversation' && entrance !== null
            const isAccepted = layer === 'identity' && dialect === 'studio'
            const isTold = verdict === 'LEAKING' || isOpen || isAccepted
            expect([cause !== null, remedy !== null]).toEqual([isTold, isTold])
          }
          expect(
            report.findings[0]?.reason.match(/who knows the (\w+) of a conversation/)?.[1] ?? null,
          ).toBe(entrance)
        }
        const cells = probeLayers
          .map((layer) => {
            const isOpen = layer === 'conversation' && entrance !== null
            return `${marks[expected[layer]]}${isOpen ? ' !' : ''}`.padEnd(14)
          })
          .join('')
        rows.push(`${dialect.padEnd(8)}${strategy.padEnd(10)}${name.padEnd(44)}${cells}`)
      },
      60_000,
    )

    it.each(['forgetful', 'refusing'] as const)(
      'proves nothing of a model that is %s',
      async (model) => {
        await using probed = await openProbed(strategy, [], { model, remembers }, dialect)
        const [report] = await probeConfig(probed.config, asking, {}, forever)
        expect(report?.verdict).toBe('INCONCLUSIVE')
        expect(report && verdictsOf(report)).toMatchObject({
          conversation: 'INCONCLUSIVE',
          'long-term-memory': 'INCONCLUSIVE',
          knowledge: 'INCONCLUSIVE',
        })
      },
    )

    const kept: Leak = dialect === 'cloud' ? 'sharedMemory' : 'sharedVariables'
    it.each<[string, readonly Leak[], 'ISOLATED' | 'LEAKING']>([
      ['nothing', [], 'ISOLATED'],
      [kept, [kept], 'LEAKING'],
    ])('is not misled by a model that chats, when %s leaks', async (_name, leaks, verdict) => {
      await using probed = await openProbed(
        strategy,
        leaks,
        { model: 'chatty', remembers },
        dialect,
      )
      const [report] = await probeConfig(probed.config, asking, {}, forever)
      expect(report?.verdict).toBe(verdict)
    })
  })
})
