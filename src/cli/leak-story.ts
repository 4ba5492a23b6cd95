import { z } from 'zod'
import type { AssistantId } from '../domain.ts'
import type { ProbeRequest } from '../domain/probe.ts'
import type { Demo } from '../demo/demo.ts'
import { knowledge } from '../demo/settings.ts'
import type { Leak } from '../emulator/options.ts'
import { formatReports } from './probe/report-formats.ts'
import { createGraphClient, type GraphClient, type SendGraph } from './probe/graph-client.ts'
import { probeGateway } from './probe/remote-probe.ts'

interface Story {
  readonly leak: Leak
  /** The fault of the stand-in for Coze. */
  readonly about: string
  /** The messages to the Workflow, each with its sender. */
  readonly talk: readonly (readonly ['Alice' | 'Bob', string])[]
}

const secret: Story['talk'] = [
  ['Alice', 'my secret is swordfish'],
  ['Bob', 'what is my secret?'],
]

/** Keyed by the value of the option. */
const stories: Readonly<Record<string, Story>> = {
  'static-conversation': {
    leak: 'staticConversation',
    about: 'the app has one conversation for everybody (静态会话): session_name is ignored',
    talk: secret,
  },
  'shared-name': {
    leak: 'sharedName',
    about: 'the app finds conversations by their names alone, whoever asks',
    talk: secret,
  },
  'foreign-conversations': {
    leak: 'foreignConversations',
    about: 'whoever knows the id of a conversation may use it',
    talk: secret,
  },
  'shared-variables': {
    leak: 'sharedVariables',
    about: 'user variables (用户变量) are kept by the owner of the token, so all users share them',
    talk: secret,
  },
  'shared-memory': {
    leak: 'sharedMemory',
    about: 'a long-term-memory node (长期记忆节点) is not isolated by session (按会话隔离)',
    talk: secret,
  },
  'shared-question': {
    leak: 'sharedQuestion',
    about: 'a question is answered by the next message to the app, whoever sends it',
    talk: [
      ['Alice', '/ask Which parcel, Alice?'],
      ['Bob', 'Good morning.'],
    ],
  },
  'fixed-node-names': {
    leak: 'fixedNodeNames',
    about:
      'conversation or message nodes (会话节点, 消息节点) of the flow use one fixed name for everybody',
    talk: secret,
  },
  'unfiltered-knowledge': {
    leak: 'unfilteredKnowledge',
    about:
      "the knowledge base (知识库) is not filtered by session_name, and contains Carol's account",
    talk: [['Bob', 'what is my account?']],
  },
}

export const leakNames: readonly string[] = Object.keys(stories)

/** The switch of the stand-in for this name. Returns undefined for an unknown name. */
export function findLeak(name: string): Leak | undefined {
  return stories[name]?.leak
}

/** Shows by example what a leak does to users, what the guard does about it, and what a probe finds. */
export async function tellLeakStory(
  name: string,
  demo: Demo,
  print: (text: string) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const story = stories[name]
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
  const request: ProbeRequest = {
    assistantId: 'workflow' as AssistantId,
    questionTrigger: '/ask Which parcel?',
    knowledge: [
      {
        sessionName: knowledge.sessionName,
        question: `What is my ${knowledge.name}?`,
        value: knowledge.value,
      },
    ],
  }
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
