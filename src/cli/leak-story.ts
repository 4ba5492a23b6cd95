import { z } from 'zod'
import type { AssistantId } from '../domain.ts'
import type { Demo } from '../demo/demo.ts'
import { leakStories, leakProbe } from '../demo/leaks.ts'
import { formatReports } from './probe/report-formats.ts'
import { createGraphClient, type GraphClient, type SendGraph } from './probe/graph-client.ts'
import { probeGateway } from './probe/remote-probe.ts'

/** Shows by example what a leak does to users, what the guard does about it, and what a probe finds. */
export async function tellLeakStory(
  name: string,
  demo: Demo,
  print: (text: string) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const story = leakStories[name]
  if (story === undefined) throw new TypeError(`there is no story of "${name}"`)
  const send: SendGraph = ({ signal: until, ...request }) =>
    demo.fetch(
      new Request('http://demo.example/graphql', { method: 'POST', signal: until, ...request }),
    )
  const clients = new Map(
    [...demo.callers, demo.operator].map((caller) => [
      caller.name,
      createGraphClient(send, caller.token),
    ]),
  )
  const as = (who: string): GraphClient => {
    const client = clients.get(who)
    if (client === undefined) throw new TypeError(`nobody is called ${who}`)
    return client
  }
  const line = (text: string) => print(`${text}\n`)

  await line(`\n# ${name}\nThe stand-in for Coze leaks: ${story.about}.\n`)
  await line('1. What users of "workflow" see:')
  for (const [who, text] of story.talk) {
    await line(`   ${who}: ${text}`)
    await line(`     ${await say(as(who), text, signal)}`)
  }
  await line(`   ${await describe(as('Operator'), signal)}\n`)

  await line('2. An operator probes it:')
  const request = { assistantId: 'workflow' as AssistantId, ...leakProbe }
  const reports = await probeGateway(
    {
      client: as('Operator'),
      request,
      onBegin: (calls) => void line(`   at most ${calls} upstream calls`),
      onProgress: (step) => void line(`   … ${step}`),
    },
    signal,
  )
  await line(`\n${formatReports(reports, 'table')}`)

  await line('3. What happens to "workflow":')
  await line(`   ${await describe(as('Operator'), signal)}`)
  await line('   Bob: hello again')
  await line(`     ${await say(as('Bob'), 'hello again', signal)}`)
  const isLeaking = reports.some(({ verdict }) => verdict === 'LEAKING')
  await line(
    isLeaking
      ? '\nAfter the remedy, the operator probes again, and clears a quarantine by clearQuarantine.'
      : '\nThe gateway gives every session names and ids that nobody can guess, so this leak reaches no user.',
  )
}

const sendDocument =
  'mutation($input:SendMessageInput!){sendMessage(input:$input){...on SendMessageSuccess{reply{id}}...on UserError{code message}}}'
const replyDocument =
  'subscription($replyId:ID!){replies(replyId:$replyId){...on ReplyCompleted{text question{text}}...on ReplyFailed{failure{code message}}}}'
const isolationDocument = '{assistants{id isAvailable isolation{verdict findings{reason verdict}}}}'

const sendSchema = z.object({
  data: z.object({
    sendMessage: z.union([
      z.object({ reply: z.object({ id: z.string() }) }),
      z.object({ code: z.string(), message: z.string() }),
    ]),
  }),
})
const replySchema = z.object({
  data: z.object({
    replies: z.union([
      z.object({ text: z.string(), question: z.object({ text: z.string() }).nullable() }),
      z.object({ failure: z.object({ code: z.string(), message: z.string() }) }),
      z.object({}),
    ]),
  }),
})
const isolationSchema = z.object({
  data: z.object({
    assistants: z.array(
      z.object({
        id: z.string(),
        isAvailable: z.boolean(),
        isolation: z.object({
          verdict: z.string(),
          findings: z.array(z.object({ reason: z.string(), verdict: z.string() })),
        }),
      }),
    ),
  }),
})

/** The outcome of a message, in one line. */
async function say(client: GraphClient, text: string, signal: AbortSignal): Promise<string> {
  const input = { text, assistantId: 'workflow' }
  const sent = sendSchema.parse(await client.ask(sendDocument, { input }, signal)).data.sendMessage
  if ('code' in sent) return `refused, ${sent.code}: ${sent.message}`
  const { id: replyId } = sent.reply
  for await (const event of client.subscribe(replyDocument, { replyId }, signal)) {
    const { replies } = replySchema.parse(event).data
    if ('failure' in replies) return `failed, ${replies.failure.code}: ${replies.failure.message}`
    if ('text' in replies) return `answer: ${replies.question?.text ?? replies.text}`
  }
  return 'no answer'
}

/** The state of the Workflow in the gateway, in one line. */
async function describe(client: GraphClient, signal: AbortSignal): Promise<string> {
  const { data } = isolationSchema.parse(await client.ask(isolationDocument, {}, signal))
  const [{ isAvailable, isolation } = {}] = data.assistants
  const { verdict, findings } = isolation ?? {}
  const [leak] = findings?.filter((finding) => finding.verdict === 'LEAKING') ?? []
  const because = leak === undefined ? '' : ` (${leak.reason})`
  return `the gateway's verdict: ${verdict}${because}; ${isAvailable ? 'in service' : 'out of service'}`
}
