import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ReplyEventData } from '../clients/recorder.ts'
import { isTerminal } from '../clients/recorder.ts'
import { startSystem, type System } from '../process/system.ts'
import { type RecipeClient, RefusedError } from './recipe-client.ts'

const send = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessageSuccess { reply { id conversation { id } } }
    ... on UserError { code message }
  }
}`
const replies = `subscription Replies($replyId: ID, $after: String) {
  replies(replyId: $replyId, after: $after) {
    __typename
    cursor
    replyId
    ... on ReplyDelta { kind offset text }
    ... on ReplyActionRequired { toolCalls { callId kind name arguments } expiresAt }
    ... on ReplyCompleted { text question { text } }
    ... on ReplyFailed { failure { code message } }
  }
}`
const cancel = `mutation Cancel($input: CancelReplyInput!) {
  cancelReply(input: $input) { __typename }
}`
const submit = `mutation Submit($input: SubmitToolOutputsInput!) {
  submitToolOutputs(input: $input) { __typename ... on UserError { code message } }
}`
const upload = `mutation Upload($input: UploadFileInput!) {
  uploadFile(input: $input) { ... on UploadFileSuccess { attachment { id } } }
}`
/** With characters of one to four bytes. */
export const longAnswer = `一 two 😀 four `.repeat(20).trim()

/** Opens a client for a caller, with a token that may expire. */
export type OpenRecipe = (url: string, token: string) => RecipeClient | Promise<RecipeClient>

export const startRecipeSystem = (config: Readonly<Record<string, unknown>> = {}) =>
  startSystem({ emulator: { wordsPerSecond: 100 }, config })

/** What every recipe of docs/clients.md must be able to do, by the client library that it is for. */
export function describeRecipe(name: string, open: OpenRecipe, running: () => System): void {
  describe(name, () => {
    let system: System
    let alice: RecipeClient
    beforeAll(async () => {
      system = running()
      alice = await open(urlOf(system), system.person(name).token)
    }, 120_000)
    afterAll(() => alice[Symbol.asyncDispose]())

    async function say(text: string, more: object = {}) {
      const input = { text, assistantId: 'bot', idempotencyKey: crypto.randomUUID(), ...more }
      const { sendMessage } = Object(await alice.request(send, { input }))
      expect(sendMessage).toMatchObject({ __typename: 'SendMessageSuccess' })
      return {
        replyId: String(sendMessage.reply.id),
        conversationId: sendMessage.reply.conversation.id,
      }
    }
    async function read(
      variables: object,
      {
        isEnough = isTerminal,
        by = alice,
      }: { isEnough?: (event: ReplyEventData) => boolean; by?: RecipeClient } = {},
    ) {
      const events: ReplyEventData[] = []
      for await (const event of by.subscribe(replies, variables)) {
        events.push(event)
        if (isEnough(event)) break
      }
      return events
    }
    /** A reply that waits in its middle until the platform is told to go on. */
    async function sayHalf() {
      await system.emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 8 })
      return await say(`/say ${longAnswer}`)
    }
    async function goOn() {
      // Only what is held by then is released.
      await system.emulator.until({ held: 'pause' })
      await system.emulator.release()
    }
    const isDelta = ({ __typename }: ReplyEventData) => __typename === 'ReplyDelta'
    const typesOf = (events: readonly ReplyEventData[]) => events.map((event) => event.__typename)

    it('1 signs in: a caller is who the token says, and nobody without a right one', async () => {
      const viewer = 'query Viewer { viewer { isGuest } }'
      expect(await alice.request(viewer)).toMatchObject({ viewer: { isGuest: false } })
      const nobody = await open(urlOf(system), 'no.such.token')
      await expect(nobody.request(viewer)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
      await nobody[Symbol.asyncDispose]()
    })

    it('2 sends, 3 streams the answer while it grows', async () => {
      const { replyId } = await sayHalf()
      let released: Promise<void> | undefined
      const events: ReplyEventData[] = []
      for await (const event of alice.subscribe(replies, { replyId })) {
        events.push(event)
        if (isDelta(event)) released ??= goOn()
        if (isTerminal(event)) break
      }
      await released
      expect(typesOf(events)[0]).toBe('ReplyStarted')
      expect(textAfter(events)).toBe(longAnswer)
      expect(events.at(-1)).toMatchObject({ __typename: 'ReplyCompleted', text: longAnswer })
    })

    it('4 subscribes late, after the end, and has the whole answer', async () => {
      const { replyId } = await say('/say late')
      await read({ replyId })
      const events = await read({ replyId })
      expect(textAfter(events)).toBe('late')
      expect(typesOf(events).at(-1)).toBe('ReplyCompleted')
    })

    it('5 is cut, and resumes after its last cursor with no gap and nothing doubled', async () => {
      const { replyId } = await sayHalf()
      const before = await read({ replyId }, { isEnough: isDelta })
      await goOn()
      const after = await read({ replyId, after: before.at(-1)?.cursor })
      expect(typesOf(after)).not.toContain('ReplyStarted')
      expect(textAfter([...before, ...after])).toBe(longAnswer)
      const lengths = [...before, ...after].map((event) =>
        event.__typename === 'ReplyDelta' ? event.text.length : 0,
      )
      expect(lengths.reduce((sum, length) => sum + length)).toBe(longAnswer.length)
    })

    it('6 cancels', async () => {
      const { replyId } = await say('/slow 5\n/long 500')
      await read({ replyId }, { isEnough: isDelta })
      const input = { replyId }
      const cancelled = await alice.request(cancel, { input })
      expect(cancelled).toMatchObject({ cancelReply: { __typename: 'CancelReplySuccess' } })
      expect(typesOf(await read({ replyId })).at(-1)).toBe('ReplyCancelled')
    })

    it('7 answers a tool call, and the same reply goes on', async () => {
      const { replyId } = await say('/tool weather {"city":"Wien"}')
      const isAsked = ({ __typename }: ReplyEventData) => __typename === 'ReplyActionRequired'
      const asked = (await read({ replyId }, { isEnough: isAsked })).at(-1)
      if (asked?.__typename !== 'ReplyActionRequired') throw new Error('no tool was called')
      const outputs = asked.toolCalls.map(({ callId }) => ({ callId, output: '21 degrees' }))
      const submitted = await alice.request(submit, { input: { replyId, outputs } })
      expect(submitted).toMatchObject({
        submitToolOutputs: { __typename: 'SubmitToolOutputsSuccess' },
      })
      const last = (await read({ replyId, after: asked.cursor })).at(-1)
      expect(last).toMatchObject({ __typename: 'ReplyCompleted' })
      expect(last).toHaveProperty('text', expect.stringContaining('21 degrees'))
    })

    it("8 answers a Workflow's question by the next message", async () => {
      const { replyId, conversationId } = await say('/ask Which city?', { assistantId: 'flow' })
      const asked = (await read({ replyId })).at(-1)
      expect(asked).toMatchObject({ question: { text: 'Which city?' } })
      const answer = await say('Wien', { assistantId: 'flow', conversationId })
      const last = (await read({ replyId: answer.replyId })).at(-1)
      expect(last).toHaveProperty('text', expect.stringContaining('Wien'))
    })

    it('9 uploads a file and sends it along', async () => {
      const file = { name: 'notes.txt', text: 'Some notes.' }
      const { uploadFile } = Object(await alice.upload(upload, { assistantId: 'bot' }, file))
      const { replyId } = await say('/files', { attachmentIds: [uploadFile.attachment.id] })
      const last = (await read({ replyId })).at(-1)
      expect(last).toHaveProperty('text', expect.stringContaining('notes.txt'))
    })

    it('10 is told that its token has expired, and resumes under a fresh one', async () => {
      const brief = await open(urlOf(system), system.tokenFor(name, 6))
      const { replyId } = await sayHalf()
      const events: ReplyEventData[] = []
      const expired = (async () => {
        for await (const event of brief.subscribe(replies, { replyId })) events.push(event)
      })()
      const error: unknown = await expired.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      await brief[Symbol.asyncDispose]()
      await goOn()
      if (!(error instanceof RefusedError)) throw new Error('it was not told', { cause: error })
      expect(error.code).toBe('SUBSCRIPTION_TOKEN_EXPIRED')
      const rest = await read({ replyId, after: error.resumeAfter })
      const whole = [...events, ...rest]
      expect(typesOf(whole).filter((type) => type === 'ReplyStarted')).toHaveLength(1)
      expect(whole.at(-1)).toHaveProperty('text', textAfter(whole))
    })
  })
}

const urlOf = ({ gateway }: System) => `${gateway.url}/graphql`

function textAfter(events: readonly ReplyEventData[]): string {
  let text = ''
  for (const event of events)
    if (event.__typename === 'ReplyDelta' && event.kind === 'ANSWER')
      text = text.slice(0, event.offset) + event.text
  return text
}
