import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCoverage } from '../kit/schema/coverage.ts'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { createTalk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

const page = 'pageInfo { hasNextPage hasPreviousPage startCursor endCursor }'
const fragments: Readonly<Record<string, string>> = {
  Attached: 'on Attachment { id name mediaType byteSize createdAt assistant { id } }',
  Written: `on Message {
    id role text imageUrls createdAt rating attachments { ...Attached } reply { id }
  }`,
  Talk: 'on Conversation { id title createdAt lastUsedAt assistant { id name } openReplies { id } }',
  Asked: 'on Question { text options fields { name type isRequired } }',
  Called: 'on ToolCall { callId kind name arguments }',
  Whole: `on Reply {
    id status text reasoning queuePosition followUps omitted contextReset upstreamCancelled
    createdAt startedAt endedAt actionExpiresAt
    usage { inputTokens outputTokens totalTokens }
    failure { code message retryable retryAfterMs }
    question { ...Asked } toolCalls { ...Called }
    conversation { ...Talk } message { ...Written } answer { ...Written }
  }`,
  Refused: 'on UserError { code message field retryAfterMs }',
}

/** A document with the fragments that it spreads, themselves or by others. */
function complete(query: string): string {
  const spread = Object.keys(fragments).find(
    (name) => query.includes(`...${name}`) && !query.includes(`fragment ${name} `),
  )
  return spread === undefined ? query : complete(`${query} fragment ${spread} ${fragments[spread]}`)
}

const repliesDocument = complete(`
  subscription ($replyId: ID, $conversationId: ID, $after: String) {
    replies(replyId: $replyId, conversationId: $conversationId, after: $after) {
      __typename cursor replyId reply { ...Whole }
      ... on ReplyDelta { kind offset text }
      ... on ReplyActionRequired { toolCalls { ...Called } expiresAt }
      ... on ReplyCompleted {
        text followUps omitted contextReset question { ...Asked }
        usage { inputTokens outputTokens totalTokens }
      }
      ... on ReplyFailed { failure { code message retryable retryAfterMs } }
      ... on ReplyCancelled { upstreamCancelled }
    }
  }`)

/**
 * What is shown elsewhere, each through HTTP: errors of mutations, failures of replies and verdicts, by contract/codes; the load
 * of an assistant, by integration/operators.
 */
const elsewhere =
  /^(UserErrorCode|ReplyFailureCode|IsolationVerdict|CircuitState|AssistantLoad)\.|Error\.\w+$/

interface Event {
  readonly __typename: string
  readonly cursor: string
  readonly toolCalls?: readonly { readonly callId: string }[]
}

const opening = { greeting: 'Good day.', suggestedQuestions: ['Who are you?'] }

/** Every field with a value, every argument, input field and enum value, over HTTP, with a real gateway behind it. */
describe('the whole schema', () => {
  const coverage = createCoverage()
  let system: System
  let alice: Person
  beforeAll(async () => {
    system = await startSystem({
      workflow: {
        attachmentParameter: 'doc',
        messageParameters: ['city'],
        messageMetadata: ['ticket'],
      },
      assistants: { imageHosts: ['images.example.com'] },
      emulator: { bots: [{ botId: '7003', ...opening }] },
      limits: {
        messagesPerMinute: 1_000,
        maxCost: 1_000_000_000,
        costPerSecond: 1_000_000_000,
        maxOpenPerSession: 100,
      },
    })
    alice = { name: 'alice', token: system.tokenFor('alice', 600, 'coze-gateway:operator') }
  })
  afterAll(() => system[Symbol.asyncDispose]())

  async function ask(query: string, variables: Readonly<Record<string, unknown>> = {}) {
    const source = complete(query)
    const { body } = await system.client.call({ token: alice.token, query: source, variables })
    const { data, errors } = JSON.parse(body)
    if (errors) throw new Error(body)
    coverage.record(source, variables, data)
    return data
  }

  /** A mutation and the member of its result. */
  async function change(name: string, input: object, selection: string) {
    const type = `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`
    const query = `mutation ($input: ${type}Input!) {
      ${name}(input: $input) { __typename ... on ${type}Success { ${selection} } ...Refused }
    }`
    return (await ask(query, { input }))[name]
  }

  /** All events up to one of a type. */
  async function listen(variables: Record<string, string>, type?: string): Promise<Event[]> {
    const events: Event[] = []
    using stream = await system.client.stream({
      token: alice.token,
      query: repliesDocument,
      variables,
    })
    for (let frame = await stream.next(); frame; frame = await stream.next()) {
      const { data } = JSON.parse(frame.data ?? '{}')
      coverage.record(repliesDocument, variables, data)
      events.push(data.replies)
      if (data.replies.__typename === type) break
    }
    return events
  }

  async function send(text: string, more: object = {}): Promise<string> {
    const sent = await change('sendMessage', { text, ...more }, 'reply { ...Whole }')
    if (!sent.reply) throw new Error(JSON.stringify(sent))
    return sent.reply.id
  }

  async function say(text: string, more: object = {}) {
    const id = await send(text, more)
    const events = await listen({ replyId: id })
    const { reply } = await ask('query ($id: ID!) { reply(id: $id) { ...Whole } }', { id })
    return { id, events, reply }
  }

  it('tells who asks, and of what there is', async () => {
    await ask(`{
      viewer {
        sessionFingerprint isGuest isOperator credentialExpiresAt eventCursor keepAliveMs
        limits {
          messages { limit remaining resetAt } openReplies { limit remaining resetAt }
          uploads { limit remaining resetAt }
          maxMessageLength maxAttachments maxUploadByteSize uploadMediaTypes
        }
      }
      assistants {
        id name isAvailable greeting suggestedOpenings parameterNames metadataNames acceptsAttachments imageHosts
      }
      assistant(id: "bot") { id }
    }`)
  })

  it('carries a message with all that may go with it', async () => {
    const start = await change(
      'startConversation',
      { assistantId: 'flow', title: 'Travel', idempotencyKey: 'travel' },
      'conversation { ...Talk }',
    )
    const conversationId = start.conversation.id
    const upload = complete(`mutation ($input: UploadFileInput!) {
      uploadFile(input: $input) {
        __typename ... on UploadFileSuccess { attachment { ...Attached } } ...Refused
      }
    }`)
    const variables = { input: { assistantId: 'flow' } }
    const file = { name: 'map.txt', mediaType: 'text/plain', text: 'here' }
    const { body } = await system.client.upload(
      { token: alice.token, query: upload, variables },
      file,
    )
    const { data } = JSON.parse(body)
    coverage.record(upload, { input: { assistantId: 'flow', file: 'a file' } }, data)
    const attachmentId = data.uploadFile.attachment.id
    const { id, events, reply } = await say('/think well\n/files\n/params\n/followups', {
      conversationId,
      assistantId: 'flow',
      attachmentIds: [attachmentId],
      imageUrls: ['https://images.example.com/cat.png'],
      parameters: [{ name: 'city', value: 'Rome' }],
      metadata: [{ name: 'ticket', value: '7' }],
      idempotencyKey: 'once',
      onBusy: 'QUEUE',
    })
    expect(reply.text).toContain('map.txt (4 bytes)')
    expect(reply.text).toContain('https://images.example.com/cat.png')
    expect(reply.text).toContain('city=Rome')
    expect(reply.message.attachments).toHaveLength(1)
    expect(reply.followUps).toHaveLength(3)
    expect(reply.reasoning).toBe('well')
    const used = await ask('{ viewer { limits { messages { remaining resetAt } } } }')
    expect(Date.parse(used.viewer.limits.messages.resetAt)).toBeGreaterThan(Date.now())
    const rated = 'answer { ...Written }'
    const messageId = reply.answer.id
    const comment = { reasons: ['quick'], comment: 'thanks' }
    await change('rateAnswer', { messageId, rating: 'LIKE', ...comment }, rated)
    await change('rateAnswer', { messageId, rating: 'DISLIKE' }, rated)
    await change('removeRating', { messageId }, rated)
    await listen({ conversationId, after: events[0]?.cursor ?? '' }, 'ReplyCompleted')
    await ask('query ($id: ID!) { node(id: $id) { __typename id ...Written } }', { id: messageId })
    await ask('query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ...Attached ...Talk } }', {
      ids: [attachmentId, conversationId],
    })
    await ask(
      `query ($id: ID!) {
        reply(id: $id) {
          explanation {
            strategy reason upstreamChatId upstreamLogId firstDeltaMs retries
            layers { layer keyedBy }
          }
        }
      }`,
      { id },
    )
  })

  it('explains a reply to an operator', async () => {
    const { id: replyId } = await say('hello', { assistantId: 'bot' })
    const query = `query ($replyId: ID!) {
      replyExplanation(replyId: $replyId) { strategy upstreamChatId }
    }`
    expect(await ask(query, { replyId })).toMatchObject({ replyExplanation: { strategy: 'BOT' } })
  })

  it('puts questions of a Workflow, and takes the answers', async () => {
    const { reply } = await say('/choose Which one? | red | blue', { assistantId: 'flow' })
    expect(reply.question).toMatchObject({ text: 'Which one?', options: ['red', 'blue'] })
    const answer = await say('red', { assistantId: 'flow' })
    expect(answer.reply.text).toBe('You answered "Which one?" with: red')
    const form = await say('/form Where? | street:string!', { assistantId: 'flow' })
    expect(form.reply.question.fields).toEqual([
      { name: 'street', type: 'string', isRequired: true },
    ])
    await say('{"street":"here"}', { assistantId: 'flow' })
  })

  it("asks for a Bot's tools, and goes on with their outputs", async () => {
    for (const [text, said] of [
      ['/tool weather', 'weather said: sunny'],
      ['/ask Tea?', 'You answered "Tea?" with: sunny'],
    ] as const) {
      const replyId = await send(text, { assistantId: 'bot' })
      const waiting = await listen({ replyId }, 'ReplyActionRequired')
      const calls = waiting.at(-1)?.toolCalls ?? []
      await ask('query ($id: ID!) { reply(id: $id) { ...Whole } }', {
        id: replyId,
      })
      const outputs = calls.map(({ callId }) => ({ callId, output: 'sunny' }))
      await change('submitToolOutputs', { replyId, outputs }, 'reply { ...Whole }')
      const events = await listen({ replyId })
      expect(events.at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
      expect(JSON.stringify(events.at(-1))).toContain(JSON.stringify(said).slice(1, -1))
    }
  })

  it('says what it leaves out', async () => {
    const { reply } = await say('/card look\n/object this\n/audio\n/say hello', {
      assistantId: 'bot',
    })
    expect(reply).toMatchObject({
      text: 'this\n\nhello',
      omitted: ['CARD', 'OTHER', 'AUDIO'],
    })
    const query = 'query ($id: ID!) { reply(id: $id) { explanation { strategy reason } } }'
    expect(await ask(query, { id: reply.id })).toMatchObject({
      reply: { explanation: { strategy: 'BOT' } },
    })
  })

  it('waits, gives way, refuses and stops', async () => {
    const start = await change('startConversation', { assistantId: 'bot' }, 'conversation { id }')
    const at = { conversationId: start.conversation.id }
    const first = await send('/slow 1 /long 100', at)
    await listen({ replyId: first }, 'ReplyDelta')
    await send('wait', at)
    expect(
      await change('sendMessage', { text: 'x', onBusy: 'REJECT', ...at }, 'reply { id }'),
    ).toMatchObject({
      code: 'CONVERSATION_BUSY',
    })
    const urgent = await send('/slow 1 /long 100', { onBusy: 'INTERRUPT', ...at })
    expect((await listen({ replyId: first })).at(-1)).toMatchObject({
      __typename: 'ReplyCancelled',
      upstreamCancelled: true,
    })
    await change('cancelReply', { replyId: urgent }, 'reply { ...Whole }')
    await change('clearConversation', at, 'conversation { ...Talk }')
    await change('renameConversation', { title: 'Old', ...at }, 'conversation { ...Talk }')
    const deletion = 'deletedConversationId upstreamCleanup { deletedConversations leftBehind }'
    // What was cleared is gone upstream already.
    expect(await change('deleteConversation', at, deletion)).toMatchObject({
      upstreamCleanup: { deletedConversations: 0, leftBehind: [] },
    })
  })

  it('says why a reply failed', async () => {
    await system.emulator.faults('/v1/workflows/chat', {
      kind: 'status',
      status: 429,
      retryAfter: '3600',
    })
    const { reply } = await say('hello', { assistantId: 'flow' })
    expect(reply).toMatchObject({
      status: 'FAILED',
      failure: { code: 'UPSTREAM_RATE_LIMITED', retryable: true, retryAfterMs: 3_600_000 },
    })
  })

  it('pages in both directions', async () => {
    const conversations = `query ($first: Int, $after: String, $last: Int, $before: String) {
      conversations(first: $first, after: $after, last: $last, before: $before) {
        nodes { id } edges { cursor node { ...Talk } } ${page}
      }
    }`
    const { pageInfo } = (await ask(conversations, { first: 1 })).conversations
    await ask(conversations, { first: 1, after: pageInfo.endCursor })
    await ask(conversations, { last: 1, before: pageInfo.endCursor })
    const messages = `query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
      conversation(id: $id) {
        messages(first: $first, after: $after, last: $last, before: $before) {
          nodes { id } edges { cursor node { ...Written } } ${page}
        }
      }
    }`
    const { edges } = (await ask(conversations, { first: 1 })).conversations
    const { id } = edges[0].node
    const first = (await ask(messages, { id, first: 1 })).conversation.messages.pageInfo
    await ask(messages, { id, first: 1, after: first.endCursor })
    await ask(messages, { id, last: 1, before: first.endCursor })
  })

  it('exports the session page by page, and erases it', async () => {
    for (let n = 0; n < 20; n += 1) {
      const id = await send('x'.repeat(32_000), { assistantId: 'bot' })
      await until(async () => {
        const { reply } = await ask('query ($id: ID!) { reply(id: $id) { status } }', { id })
        return reply.status === 'COMPLETED'
      }, 'the reply to complete')
    }
    const query = 'query ($after: String) { sessionExport(after: $after) { document nextCursor } }'
    const first = (await ask(query)).sessionExport
    const rest = (await ask(query, { after: first.nextCursor })).sessionExport
    expect(JSON.stringify([first, rest])).toContain('Which one?')
    const erase = `mutation {
      eraseSession {
        __typename
        ... on EraseSessionSuccess {
          deletedConversations deletedMessages deletedAttachments
          upstreamCleanup { deletedConversations leftBehind }
        }
        ...Refused
      }
    }`
    expect((await ask(erase)).eraseSession).toMatchObject({
      __typename: 'EraseSessionSuccess',
      deletedAttachments: 1,
    })
    const { conversations } = await ask('{ conversations { edges { cursor } } }')
    expect(conversations.edges).toEqual([])
  })

  it('tells operators how assistants keep sessions apart', async () => {
    await using leaking = await startSystem({
      emulator: { leaks: { staticConversation: true } },
      flow: { strategy: 'auto', fallback: { botId: '7003' } },
    })
    const token = leaking.tokenFor('operator', 600, 'coze-gateway:operator')
    async function askOperator(query: string, variables: Record<string, unknown> = {}) {
      const { body } = await leaking.client.call({ token, query, variables })
      const { data, errors } = JSON.parse(body)
      if (errors) throw new Error(body)
      coverage.record(query, variables, data)
      return data
    }
    async function probe(input: object) {
      const begin = `mutation ($input: ProbeAssistantInput!) {
        probeAssistant(input: $input) { __typename ... on ProbeAssistantSuccess { probe { id status startedAt maxUpstreamCalls } } }
      }`
      const { id: probeId } = (await askOperator(begin, { input })).probeAssistant.probe
      const query = `subscription ($probeId: ID!) {
        probeProgress(probeId: $probeId) {
          __typename occurredAt
          ... on ProbeStep { step }
          ... on ProbeFailed { message }
          ... on ProbeCompleted {
            reports {
              assistant { id } strategy verdict startedAt endedAt upstreamCalls leftBehind
              exchanges {
                sentAt sessionNumber upstreamConversationId upstreamChatId upstreamLogId eventTypes
              }
              findings {
                strategy layer verdict reason cause remedy
                evidence { observedAt summary upstreamLogIds sessionFingerprints }
              }
            }
          }
        }
      }`
      using stream = await leaking.client.stream({ token, query, variables: { probeId } })
      for (let frame = await stream.next(); frame; frame = await stream.next()) {
        const { data } = JSON.parse(frame.data ?? '{}')
        coverage.record(query, { probeId }, data)
      }
      const kept = `query ($id: ID!) {
        probe(id: $id) { id status reports { verdict } events { __typename occurredAt } }
      }`
      await askOperator(kept, { id: probeId })
    }
    const isolation = `{
      assistants {
        id isAvailable
        isolation {
          verdict checkedAt
          findings {
            strategy layer verdict reason cause remedy
            evidence { observedAt summary upstreamLogIds sessionFingerprints }
          }
          keying { strategy layers { layer keyedBy } }
        }
      }
    }`
    const talk = createTalk(leaking)
    for (const name of ['alice', 'bob']) {
      await talk.say(leaking.person(name), { text: 'hello', assistantId: 'flow' })
    }
    const [flow] = (await askOperator(isolation)).assistants
    expect(flow).toMatchObject({ isAvailable: false, isolation: { verdict: 'BREACHED' } })
    await talk.trySend(leaking.person('bob'), { text: 'again', assistantId: 'flow' })
    await askOperator(
      `mutation ($input: ClearQuarantineInput!) {
        clearQuarantine(input: $input) { __typename ... on ClearQuarantineSuccess { assistant { id } } }
      }`,
      { input: { assistantId: flow.id } },
    )
    const knowledge = [{ sessionName: 'owner', question: 'What is it?', value: 'unknown' }]
    const about = { assistantId: 'flow', questionTrigger: '/ask Which one?', knowledge }
    await probe({ ...about, trials: 1, budget: 60 })
    await askOperator(isolation)
    await probe({ assistantId: 'flow', budget: 1 })
    await probe({ assistantId: 'bot', trials: 1 })
    await askOperator(isolation)
    await askOperator(`{
      assistants { load { maxRunningReplies } }
      probes { id }
      liveCounts {
        startedAt openSubscriptions acceptedMessages medianFirstDeltaMs slowFirstDeltaMs
        refusedMessages { name count } endedReplies { name count }
        endedSubscriptions { name count } upstreamErrors { name count }
      }
    }`)
  })

  it('has been shown', () => {
    expect(coverage.missing.filter((place) => !elsewhere.test(place))).toEqual([])
  })
})
