import type { CardQuestion } from '../cards.ts'
import type { Dialect } from '../dialect.ts'
import { answerLine } from '../run.ts'
import { sayOnly, type Script } from '../script.ts'
import { begin } from './begin.ts'
import { studioHandlers } from './handlers.ts'
import { missingText, refuse } from './refusals.ts'
import { createStudioTelling } from './telling.ts'

/** A self-hosted Coze Studio, as its backend answers and as its source explains. */
export const studio: Dialect = {
  handlers: studioHandlers,
  exchangesTokens: false,
  logField: 'X-Log-ID',
  logId: (ids) => ids.uuid(),
  envelope: (said) => said,
  errorBody: (code, msg) => ({ code, msg }),
  refuse,
  framing: {
    workflow: {
      space: ' ',
      firstId: 1,
      escapesHtml: false,
      headers: {
        'cache-control': 'no-cache',
        connection: 'keep-alive',
        'access-control-allow-origin': '*',
      },
    },
    bot: {
      space: '',
      firstId: undefined,
      escapesHtml: true,
      headers: { 'x-accel-buffering': 'no' },
    },
  },
  // A flow stores its answer while it writes it to its reader: without one there is none.
  playsOnUnread: { workflow: false, bot: true },
  nextMessageAnswers: { workflow: true, bot: true },
  forgetsCanceled: false,
  lostStatus: undefined,
  begin,
  answerTo: (question, text) =>
    question.fields.length === 0
      ? sayOnly(answerLine(question.text, text))
      : readForm(question, text),
  telling: createStudioTelling,
}

/** A form is answered by lines of `name:value`, and by nothing else. */
function readForm({ text: asked, fields }: CardQuestion, text: string): Script {
  const lines = text.split('\n').map((line) => [line, line.indexOf(':')] as const)
  if (lines.some(([, colon]) => colon === -1)) {
    return failing(
      720_701_013,
      'Workflow execution failure: panic error: slice bounds out of range',
    )
  }
  const given = new Map(
    lines.map(([line, colon]) => [line.slice(0, colon), line.slice(colon + 1)] as const),
  )
  const missing = fields.find(({ name, required }) => required && !given.has(name))
  if (missing !== undefined) return failing(720_702_002, missingText(missing.name))
  return sayOnly(answerLine(asked, text))
}

function failing(code: number, msg: string): Script {
  return { wordsPerSecond: undefined, steps: [{ kind: 'error', code, msg }] }
}
