import { request } from 'undici'
import { describe, expect, it } from 'vitest'
import { app_id, bot_id, workflow_id } from '../../kit/clients/sdk.ts'
import { startEmulator } from '../../kit/process/emulator.ts'

/** Python's SDK writes every field that has no value as `null`, also inside the text of an `object_string`. */
describe.each(['cloud', 'studio'] as const)(
  'a body with null for what is absent (%s)',
  (dialect) => {
    async function start() {
      const emulator = await startEmulator({
        dialect,
        personalAccessTokens: [{ token: 'pat', accountId: 'a' }],
        workflows: [{ workflowId: workflow_id, appId: app_id }],
        bots: [{ botId: bot_id }],
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
        bot_id,
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
        workflow_id,
        app_id,
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
        bot_id,
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
