import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ChatClient,
  type ChatClientOptions,
  type ChatReply,
  startConversation,
  uploadFile,
} from '../../../src/client/client.ts'
import { type MiniProgramKind, openMiniProgram } from '../clients/mini-program.ts'
import type { OpenChat, Shown } from './chat-steps.ts'

/** A page of a mini-program whose data is filled from the client, in the realm of the fake. */
export const miniProgram =
  (kind: MiniProgramKind): OpenChat =>
  async ({ url, assistantId, token, chatId }) => {
    const program = await openMiniProgram({ kind })
    const createInRealm = program.evaluate(
      `(options) => client.createChatClient({ ...options, transport: client.miniProgramTransport(${kind}) })`,
    ) as (options: Omit<ChatClientOptions, 'transport'>) => ChatClient
    const chat = createInRealm({ url, token })
    let conversation = chatId === undefined ? undefined : chat.conversation(chatId)
    const replies: ChatReply[] = []
    let stored: readonly string[] = []
    let code: string | undefined

    const fail = (error: unknown) => void (code = String(Object(error).code))
    function add(reply: ChatReply): void {
      replies.push(reply)
      reply.done.catch(fail)
    }
    async function load(): Promise<void> {
      if (conversation === undefined) return
      for (const reply of await conversation.openReplies()) add(reply)
      const { nodes } = await conversation.messages()
      const isOpen = (id: string) => replies.some((reply) => reply.id === id)
      stored = nodes
        .filter(({ role, reply }) => role === 'ASSISTANT' && !isOpen(reply.id))
        .map(({ text }) => text)
    }
    await load().catch(fail)

    async function attach({ name, text }: { readonly name: string; readonly text: string }) {
      const directory = await mkdtemp(join(tmpdir(), 'upload-'))
      try {
        await writeFile(join(directory, name), text)
        return (await uploadFile(chat, join(directory, name), { assistantId })).id
      } finally {
        await rm(directory, { recursive: true })
      }
    }
    function statusOf(): Shown['status'] {
      if (code !== undefined) return 'failed'
      const statuses = replies.map(({ status }) => status)
      if (statuses.includes('ACTION_REQUIRED')) return 'asks'
      return statuses.some((one) => one === 'QUEUED' || one === 'RUNNING') ? 'busy' : 'ready'
    }

    return {
      id: async () => conversation?.id ?? '',
      async shown() {
        const texts = replies.map(({ state }) => state.snapshot().text)
        const answers = [...stored, ...texts.filter((text) => text !== '')]
        return { answers, status: statusOf(), code }
      },
      async say(text, file) {
        try {
          conversation ??= await startConversation(chat, { assistantId })
          const attachmentIds = file === undefined ? [] : [await attach(file)]
          add(await conversation.send(text, { attachmentIds }))
        } catch (error) {
          fail(error)
        }
      },
      stop: async () => void (await replies.at(-1)?.cancel()),
      async answerTool(output) {
        const reply = replies.at(-1)
        const calls = reply?.state.snapshot().toolCalls ?? []
        await reply?.submitToolOutputs(calls.map(({ callId }) => ({ callId, output })))
      },
      async [Symbol.asyncDispose]() {
        chat.close()
        program[Symbol.dispose]()
      },
    }
  }
