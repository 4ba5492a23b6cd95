import { beforeAll, describe, expect, it } from 'vitest'
import { openRelay } from '../process/relay.ts'
import { until } from '../process/until.ts'
import type { System } from '../process/system.ts'
import type { File } from './recipe-client.ts'
import { longAnswer } from './ten-steps.ts'

/** What a user sees of a chat. */
export interface Shown {
  /** The texts of the assistant, oldest first. */
  readonly answers: readonly string[]
  readonly status: 'ready' | 'busy' | 'asks' | 'failed'
  /** Why it has failed. */
  readonly code: string | undefined
}

/** A chat as its recipe in docs/clients.md builds it, with what a user does. */
export interface Chat extends AsyncDisposable {
  /** By which another device of the same user opens the same chat, once something was said. */
  id(): Promise<string>
  shown(): Promise<Shown>
  /** Resolves when the message is on its way, or could not be sent. */
  say(text: string, file?: File): Promise<void>
  stop(): Promise<void>
  /** Returns the output of the tool that the assistant has called. */
  answerTool(output: string): Promise<void>
}

export interface ChatOptions {
  readonly url: string
  readonly assistantId: string
  readonly token: () => string
  /** The chat to go on with. */
  readonly chatId?: string | undefined
}

/** Opens a chat in an application of its own, as on a device. */
export type OpenChat = (options: ChatOptions) => Promise<Chat>

/** The ten steps for a recipe that has a whole chat, and leaves the single requests to the client. */
export function describeChatRecipe(name: string, open: OpenChat, running: () => System): void {
  describe(name, () => {
    let system: System
    let url: string
    let good: string
    beforeAll(() => {
      system = running()
      url = `${system.gateway.url}/graphql`
      good = system.person(name).token
    })

    /** Each test ends its own, so that no page of another one is at work beside it. */
    async function openChat(options: Partial<ChatOptions> = {}): Promise<Chat> {
      const own = { url, assistantId: 'bot', token: () => good, ...options }
      return await open(own)
    }
    const lastAnswer = async (chat: Chat) => (await chat.shown()).answers.at(-1)
    async function becomes(chat: Chat, status: Shown['status']): Promise<Shown> {
      return await until(async () => {
        const shown = await chat.shown()
        return shown.status === status && shown
      }, `the chat to be ${status}`)
    }
    /** The answer when it has ended. */
    async function ask(chat: Chat, text: string, file?: File): Promise<string> {
      const { answers: before } = await chat.shown()
      await chat.say(text, file)
      await until(
        async () => (await chat.shown()).answers.length > before.length,
        'the answer to begin',
      )
      return (await becomes(chat, 'ready')).answers.at(-1) ?? ''
    }
    /** Says something whose answer stops in its middle until `goOn`, and waits for that. */
    async function sayHalf(chat: Chat): Promise<void> {
      await system.emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 8 })
      await chat.say(`/say ${longAnswer}`)
      await system.emulator.until({ held: 'pause' })
      await until(async () => ((await lastAnswer(chat)) ?? '') !== '', 'the first words')
      const { status, answers } = await chat.shown()
      expect(status).toBe('busy')
      expect(answers.at(-1)).not.toBe(longAnswer)
      expect(longAnswer).toContain(answers.at(-1))
    }
    const goOn = () => system.emulator.release()

    it('1 signs in: a caller is who the token says, and nobody without a right one', async () => {
      await using alice = await openChat()
      expect(await ask(alice, '/say for Alice')).toBe('for Alice')
      const chatId = await alice.id()
      await using bob = await openChat({ chatId, token: () => system.person(`not ${name}`).token })
      expect((await bob.shown()).answers).toEqual([])
      await using nobody = await openChat({ token: () => 'no.such.token' })
      await nobody.say('/say for nobody')
      expect(await becomes(nobody, 'failed')).toMatchObject({
        answers: [],
        code: 'UNAUTHENTICATED',
      })
    })

    it('2 sends, 3 shows the answer while it grows', async () => {
      await using chat = await openChat()
      await sayHalf(chat)
      await goOn()
      expect((await becomes(chat, 'ready')).answers).toEqual([longAnswer])
    })

    it('4 is opened late, after the end, and has the whole answer', async () => {
      await using chat = await openChat()
      await ask(chat, '/say late')
      await using late = await openChat({ chatId: await chat.id() })
      await until(async () => (await lastAnswer(late)) === 'late', 'the answer')
    })

    it('5 is cut, and goes on with no gap and nothing doubled', async () => {
      await using relay = await openRelay(Number(new URL(url).port))
      await using chat = await openChat({ url: `http://127.0.0.1:${relay.port}/graphql` })
      await sayHalf(chat)
      relay.cut()
      await goOn()
      expect((await becomes(chat, 'ready')).answers).toEqual([longAnswer])
    })

    it('6 stops, and the text so far stays', async () => {
      await using chat = await openChat()
      await sayHalf(chat)
      const before = (await lastAnswer(chat)) ?? ''
      await chat.stop()
      const [answer = ''] = (await becomes(chat, 'ready')).answers
      // What was on its way may still have come.
      expect(answer.slice(0, before.length)).toBe(before)
      expect(answer).not.toBe(longAnswer)
      await until(async () => {
        const { chats } = await system.emulator.state()
        return chats.at(-1)?.status !== 'in_progress'
      }, 'the platform to stop')
    })

    it('7 answers a tool call, and the same reply goes on', async () => {
      await using chat = await openChat()
      await chat.say('/tool weather {"city":"Wien"}')
      await becomes(chat, 'asks')
      await chat.answerTool('21 degrees')
      const { answers } = await becomes(chat, 'ready')
      expect(answers).toEqual([expect.stringContaining('21 degrees')])
    })

    it("8 shows a Workflow's question, and the next message answers it", async () => {
      await using chat = await openChat({ assistantId: 'flow' })
      expect(await ask(chat, '/ask Which city?')).toContain('Which city?')
      expect(await ask(chat, 'Wien')).toContain('Wien')
    })

    it('9 uploads a file and sends it along', async () => {
      const file = { name: 'notes.txt', text: 'Some notes.' }
      await using chat = await openChat()
      expect(await ask(chat, '/files', file)).toContain('notes.txt')
    })

    it('10 asks for a fresh token when the old one has expired, and goes on', async () => {
      const brief = system.tokenFor(name, 6)
      let isExpired = false
      let asked = 0
      await using chat = await openChat({
        token() {
          asked += 1
          return isExpired ? good : brief
        },
      })
      await sayHalf(chat)
      isExpired = true
      const before = asked
      await until(() => asked > before, 'a fresh token to be asked for')
      await goOn()
      expect((await becomes(chat, 'ready')).answers).toEqual([longAnswer])
    })
  })
}
