import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ModelInput, words } from '../../../src/emulator/model/answers.ts'
import { help, longText, type Step, writeScript } from '../../../src/emulator/model/script.ts'

const input: ModelInput = {
  model: 'scripted',
  files: ['notes.txt (5 bytes)', 'b.png (7 bytes)'],
  parameters: { city: 'Rome', days: 3 },
  variables: {},
  metaData: { ticket: '7' },
  storedVariables: { colour: 'red' },
  known: new Map(),
}

function answers(text: string, history: readonly string[] = []): readonly string[] {
  return writeScript(text, history, input).steps.flatMap((step) =>
    step.kind === 'say' ? step.text : [],
  )
}

describe('scripted model', () => {
  it.each<[text: string, history: readonly string[], answer: string]>([
    ['hello there', [], 'You said: hello there'],
    ['你好', [], '你说：你好'],
    ['my secret is blue-42', [], 'You said: my secret is blue-42'],
    ['What is my secret?', ['my secret is blue-42'], 'Your secret is blue-42.'],
    ["what's my secret", ['Hi. My secret is blue-42. Bye.'], 'Your secret is blue-42.'],
    ['what is my secret?', ['my secret is a', 'my secret is b'], 'Your secret is b.'],
    ['what is my secret?', ['my Secret  is 10.0.0.1.'], 'Your secret is 10.0.0.1.'],
    ['My code is 7. What is my code?', [], 'Your code is 7.'],
    ['what is my secret?', [], 'I do not know your secret.'],
    ['what is my secret?', ['what is my secret?'], 'I do not know your secret.'],
    ['what is my secret?', ['my name is Ann'], 'I do not know your secret.'],
    ['我的秘密是什么？', ['我的秘密是蓝色42。'], '你的秘密是蓝色42。'],
    ['我的名字叫什么？', ['我的名字叫小明'], '你的名字是小明。'],
    ['我的秘密是什么？', ['我的名字是小明'], '我不知道你的秘密。'],
  ])('answers %j after %j', (text, history, answer) => {
    expect(answers(text, history)).toEqual([answer])
  })

  it.each<[text: string, steps: readonly Step[]]>([
    ['/help', [{ kind: 'say', text: help, reasoning: '' }]],
    ['/say  as it is /long 3', [{ kind: 'say', text: 'as it is /long 3', reasoning: '' }]],
    ['/long 2', [{ kind: 'say', text: longText(2), reasoning: '' }]],
    [
      '/think let me see\n/slow 5 /silent 20ms hello',
      [
        { kind: 'silence', ms: 20 },
        { kind: 'say', text: 'You said: hello', reasoning: 'let me see' },
      ],
    ],
    [
      '/silent 5s',
      [
        { kind: 'silence', ms: 5000 },
        { kind: 'say', text: 'You said: ', reasoning: '' },
      ],
    ],
    ['/fail 5000 no luck', [{ kind: 'fail', code: 5000, msg: 'no luck' }]],
    [
      '/say first\n/error 4000',
      [
        { kind: 'say', text: 'first', reasoning: '' },
        { kind: 'error', code: 4000, msg: 'as asked' },
      ],
    ],
    [
      '/tool weather,time {"of":"Rome"}',
      [
        {
          kind: 'callTools',
          calls: [
            { name: 'weather', arguments: '{"of":"Rome"}' },
            { name: 'time', arguments: '{"of":"Rome"}' },
          ],
        },
      ],
    ],
    [
      '/plugin weather\n/verbose empty result\n/say sunny',
      [
        {
          kind: 'callPlugins',
          calls: [{ name: 'weather', arguments: '{"query":"on demand"}' }],
        },
        { kind: 'note', type: 'empty result' },
        { kind: 'say', text: 'sunny', reasoning: '' },
      ],
    ],
    [
      '/ask Tea or coffee?',
      [{ kind: 'ask', question: { text: 'Tea or coffee?', options: [], fields: [] } }],
    ],
    [
      '/choose Which? | tea | coffee',
      [{ kind: 'ask', question: { text: 'Which?', options: ['tea', 'coffee'], fields: [] } }],
    ],
    [
      '/form Where? | street:string! | zip',
      [
        {
          kind: 'ask',
          question: {
            text: 'Where?',
            options: [],
            fields: [
              { name: 'street', type: 'string', required: true },
              { name: 'zip', type: 'string', required: false },
            ],
          },
        },
      ],
    ],
    ['/card look', [{ kind: 'card', text: 'look' }]],
    [
      '/keep colour dark red\n/kept colour',
      [
        { kind: 'keep', name: 'colour', value: 'dark red' },
        { kind: 'say', text: 'red', reasoning: '' },
      ],
    ],
    ['/kept size', [{ kind: 'say', text: 'nothing', reasoning: '' }]],
    ['/files', [{ kind: 'say', text: 'notes.txt (5 bytes)\nb.png (7 bytes)', reasoning: '' }]],
    ['/params', [{ kind: 'say', text: 'city=Rome\ndays=3', reasoning: '' }]],
    ['/vars', [{ kind: 'say', text: 'none', reasoning: '' }]],
    ['/meta', [{ kind: 'say', text: 'ticket=7', reasoning: '' }]],
    ['/shout hi', [{ kind: 'say', text: 'You said: /shout hi', reasoning: '' }]],
  ])('obeys %j', (text, steps) => {
    expect(writeScript(text, [], input).steps).toEqual(steps)
  })

  it('answers in two messages and suggests questions on request', () => {
    const { steps } = writeScript('/two /followups hi', [], input)
    expect(steps.map((step) => step.kind)).toEqual(['say', 'say', 'followUps'])
  })

  it('takes its speed from the text, zero included', () => {
    expect(writeScript('/speed 500 hi', [], input).wordsPerSecond).toBe(500)
    expect(writeScript('/slow 0 hi', [], input).wordsPerSecond).toBe(0)
    expect(writeScript('hi', [], input).wordsPerSecond).toBeUndefined()
  })

  it('streams pieces that join to the text and split no character', () => {
    const mixed = fc.string({ unit: fc.constantFrom('a', ' ', '\n', '你', '好', '🙂', '。', '𠮷') })
    fc.assert(
      fc.property(mixed, (text) => {
        expect(words(text).join('')).toBe(text)
        for (const word of words(text)) expect(word.isWellFormed()).toBe(true)
      }),
    )
    expect(words('I like 中文字 much')).toEqual(['I ', 'like ', '中文', '字', ' ', 'much'])
  })

  it('numbers the words of a long text', () => {
    expect(longText(1000).split(' ')).toHaveLength(1000)
    expect(new Set(longText(1000).split(' ')).size).toBe(1000)
  })
})
