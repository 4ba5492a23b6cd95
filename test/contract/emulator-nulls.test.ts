import { request } from 'undici'
import { describe, expect, it } from 'vitest'
import { startEmulator } from '../kit/process/emulator.ts'

const bot = '7400000000000000003'
const flow = '7400000000000000001'
const app = '7400000000000000002'

/** Python's SDK writes every field that has no value as `null`, also inside the text of an `object_string`. */
describe.each(['cloud', 'studio'] as const)(
  'a body with null for what is absent (%s)',
  (dialect) => {
    async function start() {
      const emulator = await startEmulator({
        dialect,
        personalAccessTokens: [{ token: 'pat', accountId: 'a' }],
        workflows: [{ workflowId: flow, appId: app }],
        bots: [{ botId: bot }],
        wordsPerSecond: 0,
      })
      async function post(path: string, body: object): Promise<string> {
        const { body: said } = await request(`${emulator.url}${path}`, {
          method: 'POST',
          headers: { authorization: 'Bearer pat' },
          body: JSON.stringify(body),
        })
        return said.text()
      }
      return { post, [Symbol.asyncDispose]: () => emulator.close() }
    }

    it("takes the Python SDK's multimodal message", async () => {
      await using here = await start()
      const parts = [
        { type: 'text', text: 'look', file_id: null, file_url: null },
        { type: 'image', text: null, file_id: null, file_url: 'https://example.com/a.png' },
      ]
      const message = {
        role: 'user',
        type: 'question',
        content: JSON.stringify(parts),
        content_type: 'object_string',
        meta_data: null,
      }
      const said = await here.post('/v3/chat', {
        bot_id: bot,
        user_id: 'u',
        stream: true,
        additional_messages: [message],
        custom_variables: null,
        auto_save_history: null,
        meta_data: null,
        parameters: null,
        enable_card: null,
        connector_id: null,
      })
      expect(said).toContain('You said: look')
    })

    it('takes it in every call', async () => {
      await using here = await start()
      const flowSaid = await here.post('/v1/workflows/chat', {
        workflow_id: flow,
        app_id: app,
        bot_id: null,
        conversation_id: null,
        parameters: { CONVERSATION_NAME: 'mine', extra: null },
        ext: { user_id: 'u', more: null },
        connector_id: null,
        additional_messages: [
          { role: 'user', type: null, content: 'hi', content_type: 'text', meta_data: { a: null } },
        ],
      })
      expect(flowSaid).toContain('You said: hi')
      const made = await here.post('/v1/conversation/create', {
        bot_id: bot,
        name: null,
        messages: null,
        meta_data: null,
        connector_id: null,
        get_or_create: null,
      })
      const { data } = JSON.parse(made) as { data: { id: string } }
      const listed = await here.post(`/v1/conversation/message/list?conversation_id=${data.id}`, {
        order: null,
        chat_id: null,
        before_id: null,
        after_id: null,
        limit: null,
      })
      expect(JSON.parse(listed)).toMatchObject({ code: 0 })
    })
  },
)
