import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { CozeError } from '../../../src/coze/errors.ts'
import { type CozeEvent, decodeFrame, frameKind } from '../../../src/coze/events.ts'
import { chat, chatId, conversationId, ids, message, messageId } from './wire-samples.ts'

const context = { logId: 'log', accepted: 'yes' } as const

function decode(name: string, data: unknown): CozeEvent[] {
  const events: CozeEvent[] = []
  decodeFrame(name, typeof data === 'string' ? data : JSON.stringify(data), context, events)
  return events
}

function refusal(name: string, data: unknown): CozeError {
  try {
    decode(name, data)
  } catch (error) {
    if (error instanceof CozeError) return error
  }
  throw new Error('not refused')
}

const answer = { type: 'delta', ...ids, messageId, kind: 'ANSWER', contentType: 'text' }

describe('events', () => {
  it.each([
    ['created', 'created'],
    ['in_progress', 'in-progress'],
    ['canceled', 'cancelled'],
    ['cancelled', 'cancelled'],
  ])('F18 read conversation.chat.%s as %s', (name, type) => {
    expect(decode(`conversation.chat.${name}`, chat(name))).toEqual([{ type, ...ids }])
  })

  it('never total less than their parts, as Studio does for a Workflow', () => {
    const usage = { token_count: 14, output_count: 7, input_count: 11 }
    expect(decode('conversation.chat.completed', chat('completed', { usage }))).toMatchObject([
      { usage: { inputTokens: 11, outputTokens: 7, totalTokens: 18 } },
    ])
  })

  it('tell the usage that Studio writes into an answer, and nothing else that it writes there', () => {
    const told = { input_tokens: '11', output_tokens: '7', time_cost: '0.0', token: '18' }
    const name = 'conversation.message.completed'
    const usage = { inputTokens: 11, outputTokens: 7, totalTokens: 18 }
    expect(decode(name, message('Hi', { meta_data: told }))).toMatchObject([{ usage }])
    for (const odd of [
      {},
      null,
      { ...told, token: 'x' },
      { ...told, token: '-1' },
      { token: '1' },
    ]) {
      expect(decode(name, message('Hi', { meta_data: odd }))[0]).not.toHaveProperty('usage')
    }
  })

  it("tell the platform's note that the answer is whole, of either platform", () => {
    const name = 'conversation.message.completed'
    const notes = [
      '{"msg_type":"generate_answer_finish","data":"{\\"finish_reason\\":0}","from_unit":""}',
      '{"msg_type":"generate_answer_finish","data":"","from_module":null,"from_unit":null}',
    ]
    for (const note of notes) {
      expect(decode(name, message(note, { type: 'verbose' }))).toEqual([
        { type: 'answer-finished', ...ids },
      ])
      // What an assistant says to its user is no note.
      expect(decode(name, message(note))).toMatchObject([{ type: 'answer', text: note }])
    }
    for (const other of ['{"msg_type":"knowledge_recall"}', '{}', 'generate_answer_finish']) {
      expect(decode(name, message(other, { type: 'verbose' }))).toEqual([{ type: 'other', ...ids }])
    }
  })

  it('read a completed chat with its usage, a success code in last_error notwithstanding', () => {
    const usage = { token_count: 30, output_count: 20, input_count: 10 }
    expect(decode('conversation.chat.completed', chat('completed', { usage }))).toEqual([
      { type: 'completed', ...ids, usage: { inputTokens: 10, outputTokens: 20, totalTokens: 30 } },
    ])
    expect(decode('conversation.chat.completed', chat('completed', { usage: null }))).toEqual([
      { type: 'completed', ...ids, usage: null },
    ])
    // What no count can be would spoil the event that tells the end.
    for (const odd of [-1, 0.5, 2 ** 31, '30', null]) {
      const told = chat('completed', { usage: { ...usage, token_count: odd } })
      expect(decode('conversation.chat.completed', told)).toEqual([
        { type: 'completed', ...ids, usage: null },
      ])
    }
  })

  const required = (tool_calls: unknown) => ({
    required_action: { type: 'submit_tool_outputs', submit_tool_outputs: { tool_calls } },
  })
  const requiresAction = (more: Parameters<typeof chat>[1]) =>
    decode('conversation.chat.requires_action', chat('requires_action', more))

  it('read what a chat asks its client to do', () => {
    const toolCalls = [
      { id: 'a', type: 'function', function: { name: 'lookup', arguments: '{"of":"x"}' } },
      { id: 'b', type: 'reply_message' },
      { id: 'c', type: 'function', function: { name: 'now', arguments: { zone: 'UTC' } } },
      { id: 'd', type: 'function', function: { name: 'ping' } },
      { id: 'e', type: 'function', function: { name: '' } },
    ]
    expect(requiresAction(required(toolCalls))).toEqual([
      {
        type: 'requires-action',
        ...ids,
        toolCalls: [
          { id: 'a', kind: 'FUNCTION', name: 'lookup', arguments: '{"of":"x"}' },
          { id: 'b', kind: 'QUESTION', name: null, arguments: null },
          { id: 'c', kind: 'FUNCTION', name: 'now', arguments: '{"zone":"UTC"}' },
          { id: 'd', kind: 'FUNCTION', name: 'ping', arguments: '{}' },
          { id: 'e', kind: 'QUESTION', name: null, arguments: null },
        ],
      },
    ])
  })

  it.each([
    ['nothing', {}],
    ['null', { required_action: null }],
    ['an empty list', required([])],
    ['no list', required(null)],
    ['nothing of the kind', { required_action: { type: '' } }],
  ])('read a chat that waits without tool calls: %s', (_, more) => {
    expect(requiresAction(more)).toEqual([{ type: 'requires-action', ...ids, toolCalls: [] }])
  })

  it('refuse a tool call that nobody could answer', () => {
    const nameless = required([{ type: 'function', function: { name: 'lookup' } }])
    const error = refusal('conversation.chat.requires_action', chat('requires_action', nameless))
    expect(error).toMatchObject({ kind: 'protocol', accepted: 'yes', logId: 'log' })
  })

  it('tell of speech whose it is, and nothing else', () => {
    const sound = message('UklGR', { content_type: 'audio' })
    expect(decode('conversation.audio.delta', sound)).toEqual([{ type: 'audio', ...ids }])
    expect(frameKind('conversation.audio.delta')).toBe('audio')
    const nobodys = message('UklGR', { chat_id: '0' })
    expect(refusal('conversation.audio.delta', nobodys).kind).toBe('protocol')
  })

  it.each([
    [4011, 'quota'],
    ['4011', 'quota'],
    [0, 'server'],
  ])('F18 keep the code %j of a failed chat, and the log id', (code, kind) => {
    const last_error = { code, msg: 'the user said: secret' }
    const [event] = decode('conversation.chat.failed', chat('failed', { last_error }))
    expect(event).toMatchObject({ type: 'failed', ...ids })
    expect(event).toHaveProperty('error.kind', kind)
    expect(event).toHaveProperty('error.logId', 'log')
    expect(event).toHaveProperty('error.accepted', 'yes')
    expect(event).toHaveProperty('error.message', expect.not.stringContaining('secret'))
  })

  it.each([
    ['an integer code', '{"code":4000,"msg":"secret"}', '4000', 'refused'],
    ['a string code', '{"code":"4000","msg":"secret"}', '4000', 'refused'],
    ['the run dialect', '{"error_code":5000,"error_message":"secret"}', '5000', 'server'],
    ['no code', '{}', undefined, 'server'],
    ['bare text', 'secret went wrong', undefined, 'server'],
  ])('F18 read an error event with %s', (_name, data, code, kind) => {
    const [event] = decode('error', data)
    expect(event).toHaveProperty('type', 'error')
    expect(event).toHaveProperty('error.kind', kind)
    expect(event).toHaveProperty('error.upstreamCode', code)
    expect(event).toHaveProperty('error.message', expect.not.stringContaining('secret'))
  })

  it.each(['"[DONE]"', '[DONE]', '', '{}', '{"debug_url":"https://x"}'])(
    'read done with the data %j',
    (data) => {
      expect(decode('done', data)).toEqual([{ type: 'done' }])
      expect(decode('conversation.stream.done', data)).toEqual([{ type: 'done' }])
    },
  )

  it('read a delta of an answer, and its thinking as a delta of its own kind', () => {
    const name = 'conversation.message.delta'
    expect(decode(name, message('Hi '))).toEqual([{ ...answer, text: 'Hi ' }])
    expect(decode(name, message('', { reasoning_content: 'hm' }))).toEqual([
      { ...answer, kind: 'REASONING', text: 'hm' },
    ])
    expect(decode(name, message('Hi', { reasoning_content: 'hm' }))).toEqual([
      { ...answer, kind: 'REASONING', text: 'hm' },
      { ...answer, text: 'Hi' },
    ])
    expect(decode(name, message('', { reasoning_content: null }))).toEqual([])
  })

  it.each([
    ['verbose', 'other'],
    ['function_call', 'tool-output'],
    ['tool_output', 'tool-output'],
    ['tool_response', 'tool-output'],
    ['knowledge', 'other'],
    ['question', 'other'],
    ['', 'other'],
  ])('T14: tell whose a message of type %j is, and nothing of what it says', (type, told) => {
    const other = [{ type: 'other', ...ids }]
    expect(decode('conversation.message.delta', message('x', { type }))).toEqual(other)
    expect(decode('conversation.message.completed', message('x', { type }))).toEqual([
      { type: told, ...ids },
    ])
  })

  it.each(['id', 'chat_id', 'conversation_id'])(
    'T25: refuse a %s that is too long to store',
    (key) => {
      const long = message('x', { [key]: '1'.repeat(513) })
      expect(() => decode('conversation.message.delta', long)).toThrow(
        expect.objectContaining({ kind: 'protocol' }),
      )
      const fits = message('x', { [key]: '1'.repeat(512) })
      expect(decode('conversation.message.delta', fits)).toHaveLength(1)
    },
  )

  it('T25: refuse a tool call whose id is too long to store', () => {
    const call = { id: 'a'.repeat(513), type: 'function', function: { name: 'f', arguments: '{}' } }
    const required = { submit_tool_outputs: { tool_calls: [call] } }
    const waits = chat('requires_action', { required_action: required })
    expect(() => decode('conversation.chat.requires_action', waits)).toThrow(
      expect.objectContaining({ kind: 'protocol' }),
    )
  })

  it('read completed answers with their content type, and follow-ups', () => {
    const name = 'conversation.message.completed'
    const base = { ...ids, messageId }
    expect(decode(name, message('all', { content_type: 'card' }))).toEqual([
      { type: 'answer', ...base, contentType: 'card', text: 'all' },
    ])
    expect(decode(name, message('And?', { type: 'follow_up' }))).toEqual([
      { type: 'follow-up', ...base, text: 'And?' },
    ])
  })

  it('F11 refuse broken JSON without quoting it', () => {
    for (const data of ['{"content":"secret', '"secret"', '[]', 'null']) {
      const error = refusal('conversation.message.delta', data)
      expect(error).toMatchObject({ kind: 'protocol', ...context })
      expect(inspect(error)).not.toContain('secret')
    }
  })

  it.each([['conversation_id'], ['chat_id'], ['id']])(
    'T14 refuse a message whose %s is missing, empty, "0" or a number',
    (key) => {
      for (const value of [undefined, null, '', '0', 7468123412341]) {
        for (const name of ['delta', 'completed']) {
          const error = refusal(`conversation.message.${name}`, message('x', { [key]: value }))
          expect(error).toMatchObject({ kind: 'protocol', logId: 'log' })
        }
      }
    },
  )

  it('T14 refuse a chat event without its ids', () => {
    for (const key of ['id', 'conversation_id']) {
      for (const name of ['created', 'completed', 'failed', 'canceled']) {
        const error = refusal(`conversation.chat.${name}`, chat(name, { [key]: '0' }))
        expect(error.kind).toBe('protocol')
      }
    }
  })

  it('keep ids as the strings they are', () => {
    const [event] = decode('conversation.message.delta', message('x'))
    expect(event).toMatchObject({ chatId, conversationId, messageId })
  })

  it('say nothing of unknown names, whatever their data', () => {
    expect(frameKind('conversation.chat.mood')).toBe('unknown')
    expect(frameKind('toString')).toBe('unknown')
    expect(decode('conversation.chat.mood', 'not json')).toEqual([])
  })
})
