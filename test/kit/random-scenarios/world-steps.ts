import {
  ClearQuarantineDocument,
  ProbeAssistantDocument,
  ProbeProgressDocument,
} from '../../../schema/operations/generated/graphql.ts'
import { attacks, headerAttack } from '../clients/attacks.ts'
import { assistantIds, type Step, undisturbed } from './step.ts'

/** A key of another is one's own: those who send choose such keys at times. */
const keys: ReadonlySet<string> = new Set(['idempotencyKey', 'startKey'])

const trespasses = [
  { path: 'the Last-Event-ID header', ...headerAttack },
  ...Object.entries(attacks).flatMap(([path, attack]) =>
    attack === 'shared' || keys.has(attack.steals) ? [] : [{ path, ...attack }],
  ),
]

/** What happens to people: thieves, deaths, probes. */
export const worldSteps: Readonly<Record<string, Step>> = {
  trespass: {
    weight: 12,
    take: ({ client, sessions }, session, random) =>
      undisturbed(session, async () => {
        const victim = random.pick(sessions.all)
        const possible = trespasses.filter(({ steals }) => victim.loot[steals] !== undefined)
        if (victim === session || possible.length === 0) return 'nothing'
        const attack = random.pick(possible)
        const { path } = attack
        const value = victim.loot[attack.steals] ?? ''
        const { replyId = '', conversationId = '' } = session.loot
        const own = { replyId, conversationId, text: 'let me in' }
        const { body } = await attack.run(client, session.who, value, own)
        if (body === 'accepted' || /Success"|"data":\{"(reply|conversation|node)":\{/.test(body)) {
          const isOwn = path.startsWith('Conversation.messages')
          if (!isOwn) sessions.complain(`${path} of another was taken: ${body.slice(0, 200)}`)
        }
        return path
      }),
  },
  crash: { weight: 0.5, take: async ({ lives }) => ((await lives.crash()) ? 'died' : 'not now') },
  restart: {
    weight: 0.1,
    take: async ({ lives }) => ((await lives.restart()) ? 'came back' : 'not now'),
  },
  platformRestart: {
    weight: 0.3,
    async take({ emulator }) {
      await emulator.restart()
      return 'came back'
    },
  },
  vanish: {
    weight: 0.7,
    async take({ emulator }, _session, random) {
      const { conversations } = await emulator.state()
      if (conversations.length === 0) return 'nothing'
      if (random.chance(0.05)) {
        await emulator.vanish()
        return 'all'
      }
      // Mostly of those who talk now.
      const { id } = random.pick(conversations.slice(-16))
      await emulator.vanish(id)
      return 'one'
    },
  },
  probe: {
    weight: 0.25,
    async take({ client, cast, talk, sessions, isLeaky }, session, random) {
      const assistantId = random.pick(assistantIds)
      const input = { assistantId, trials: 1 }
      const begun = await talk.ask(cast.operator, ProbeAssistantDocument, { input })
      const result = begun?.probeAssistant
      if (result?.__typename !== 'ProbeAssistantSuccess') return result?.__typename ?? 'refused'
      const wanted = {
        query: ProbeProgressDocument.toString(),
        variables: { probeId: result.probe.id },
      }
      using spy = await client.stream({ ...wanted, token: session.who.token })
      if (spy.status === 200) sessions.complain(`session ${session.number} follows a probe`)
      using progress = await client.stream({ ...wanted, token: cast.operator.token })
      if (progress.status !== 200) return 'not followed'
      let last = ''
      for (let frame = await progress.next(60_000); frame; frame = await progress.next(60_000)) {
        last = frame.data ?? ''
      }
      const [report] = JSON.parse(last || '{}').data?.probeProgress?.reports ?? []
      const verdict = String(report?.verdict ?? 'without an end')
      if (verdict === 'LEAKING' && !isLeaky) sessions.complain(`a probe finds a leak: ${last}`)
      return verdict
    },
  },
  clearQuarantine: {
    weight: 0.5,
    async take({ cast, talk, isLeaky }, _session, random) {
      if (!isLeaky) return 'nothing'
      const input = { assistantId: random.pick(assistantIds) }
      const answered = await talk.ask(cast.operator, ClearQuarantineDocument, { input })
      return answered?.clearQuarantine.__typename ?? 'refused'
    },
  },
}
