import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeQuestionCard } from '../../../src/coze/message-content.ts'
import { inputCard, questionCard } from './card-samples.ts'

const question = { text: 'Which one?', options: ['Left', 'Right'], fields: [] }
const form = {
  text: '',
  options: [],
  fields: [
    { name: 'city', type: 'string', required: true },
    { name: 'days', type: 'integer', required: false },
  ],
}

describe('cards', () => {
  it('ask a question with options', () => {
    expect(decodeQuestionCard(JSON.stringify(questionCard()))).toEqual(question)
  })

  it('ask for the fields of a form', () => {
    expect(decodeQuestionCard(JSON.stringify(inputCard()))).toEqual(form)
  })

  it.each(['texts', 'objects'] as const)('are read where their parts are %s', (nesting) => {
    for (const [card, expected] of [
      [questionCard(nesting), question],
      [inputCard(nesting), form],
    ] as const) {
      expect(decodeQuestionCard(JSON.stringify(card))).toEqual(expected)
      const { workflow_card_info: info } = card.x_properties
      expect(decodeQuestionCard(JSON.stringify({ card_type: 3, data: info }))).toEqual(expected)
      const bare = typeof info === 'string' ? info : JSON.stringify(info)
      expect(decodeQuestionCard(bare)).toEqual(expected)
    }
  })

  it('leave out what is no option and no field, and ask what is left', () => {
    const card = {
      card_type: 'QUESTION',
      question_card_data: { Title: 'So?', Options: ['Yes', 5, {}, { name: '' }, { name: 'No' }] },
    }
    expect(decodeQuestionCard(JSON.stringify(card))).toEqual({
      text: 'So?',
      options: ['Yes', 'No'],
      fields: [],
    })
    const input = { card_type: 'INPUT', input_card_data: [null, { type: 'string' }, { name: 'a' }] }
    expect(decodeQuestionCard(JSON.stringify(input))?.fields).toEqual([
      { name: 'a', type: 'string', required: false },
    ])
  })

  it('have no halves of characters in what they ask', () => {
    const card = { card_type: 'QUESTION', question_card_data: { Title: 'a\ud83d', Options: [] } }
    expect(decodeQuestionCard(JSON.stringify(card))?.text).toBe('a\ufffd')
  })

  it.each([
    ['no JSON', '{"card_type":'],
    ['a list', '[]'],
    ['another card', '{"card_type":3,"template_id":1}'],
    ['a question of nothing', '{"card_type":"QUESTION","question_card_data":{}}'],
    ['a form without fields', '{"card_type":"INPUT","input_card_data":[]}'],
    ['a form that is no list', '{"card_type":"INPUT","input_card_data":{"name":"a"}}'],
    ['broken inside', '{"x_properties":"{\\"workflow_card_info\\":\\"{\\"}"}'],
  ])('ask nothing when they are %s', (_, content) => {
    expect(decodeQuestionCard(content)).toBeUndefined()
  })

  it('never throw, whatever they hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('QUESTION', 'INPUT'), (data, kind) => {
        const info = { card_type: kind, question_card_data: data, input_card_data: data }
        decodeQuestionCard(JSON.stringify(info))
        decodeQuestionCard(JSON.stringify({ x_properties: data, data: info }))
      }),
    )
  })
})
