import type { ChatReply, Question, ReplyState } from '../../client/client.ts'
import { el, type Child, type View } from '../dom.ts'
import { icon } from '../icons.ts'
import { facts } from '../page.ts'
import { words } from '../words/words.ts'
import type { Pane } from './pane.ts'
import { isOpen, type Turn } from './transcript.ts'

/** A message and what became of it. `isLast`: its question can be answered. */
export function turnView(pane: Pane, turn: Turn, isLast: boolean): View {
  const { pane: texts } = words()
  return el(
    'li',
    { key: turn.replyId, class: 'turn' },
    el(
      'div',
      { class: 'said by-user' },
      el('span', { class: 'hidden' }, `${texts.you}: `),
      el('p', { class: 'text' }, turn.text),
      ...turn.attachments.map(({ name }) => el('p', { class: 'file' }, icon('clip'), name)),
    ),
    turn.reply ? replyView(pane, turn, turn.reply, isLast) : wholeAnswer(pane, turn),
  )
}

function wholeAnswer(pane: Pane, turn: Turn): Child {
  if (!turn.answer) return undefined
  return el(
    'div',
    { class: 'said by-assistant' },
    speaker(),
    el('p', { class: 'text' }, turn.answer.text),
    actions(pane, turn),
  )
}

function replyView(pane: Pane, turn: Turn, reply: ChatReply, isLast: boolean): View {
  const { reply: texts } = words()
  const state = reply.state.snapshot()
  const { failure, status, text, reasoning, omitted, contextReset, question, toolCalls } = state
  if (failure?.code === 'ISOLATION_BREACH') return guardNotice()
  return el(
    'div',
    { class: 'said by-assistant', 'aria-busy': isOpen(state) ? 'true' : undefined },
    speaker(),
    reasoning !== '' &&
      el(
        'details',
        { class: 'reasoning' },
        el('summary', {}, texts.reasoning),
        el('p', { class: 'text' }, reasoning),
      ),
    text !== '' && el('p', { class: 'text' }, text),
    isOpen(state) && el('p', { class: 'state' }, el('span', { class: 'dots' }), stateOf(state)),
    status === 'CANCELLED' && el('p', { class: 'state' }, texts.stopped),
    omitted.length > 0 &&
      el(
        'p',
        { class: 'state' },
        texts.omittedNote(omitted.map((kind) => texts.omitted[kind]).join(', ')),
      ),
    contextReset && el('p', { class: 'state' }, texts.contextReset),
    failure && failureNotice(pane, turn, failure.code, isLast && failure.retryable),
    toolCalls.length > 0 && toolForm(pane, reply, toolCalls),
    question && questionView(pane, question, isLast),
    !isOpen(state) && actions(pane, turn),
    isLast && !isOpen(state) && chips(pane, state.followUps),
  )
}

function speaker(): View {
  return el('span', { class: 'hidden' }, `${words().reply.assistant}: `)
}

function stateOf({ status, queuePosition, text }: ReplyState): string {
  const { reply } = words()
  if (status === 'QUEUED') return reply.queued(queuePosition ?? 0)
  return text === '' ? reply.thinking : reply.writing
}

function guardNotice(): View {
  const { reply } = words()
  return el(
    'div',
    { class: 'said guard', role: 'alert' },
    el('p', {}, icon('shield'), ' ', el('strong', {}, reply.guardTitle)),
    el('p', {}, reply.guard),
  )
}

function failureNotice(
  pane: Pane,
  { text }: Turn,
  code: keyof ReturnType<typeof words>['errors'],
  mayRetry: boolean,
): View {
  const { errors, reply } = words()
  return el(
    'div',
    { class: 'error' },
    el('p', {}, errors[code]),
    mayRetry &&
      el('button', { type: 'button', onclick: () => void pane.send(text) }, reply.sendAgain),
  )
}

function actions(pane: Pane, turn: Turn): Child {
  const { reply: texts } = words()
  const answerId = turn.answer?.id ?? turn.reply?.state.snapshot().answer?.id
  const rate = (rating: 'LIKE' | 'DISLIKE', sign: 'like' | 'dislike', label: string) =>
    el(
      'button',
      {
        type: 'button',
        class: 'icon',
        title: label,
        'aria-label': label,
        'aria-pressed': turn.rating === rating ? 'true' : 'false',
        onclick: () => void pane.rate(turn, rating),
      },
      icon(sign),
    )
  return el(
    'div',
    { class: 'actions' },
    answerId !== undefined && rate('LIKE', 'like', texts.like),
    answerId !== undefined && rate('DISLIKE', 'dislike', texts.dislike),
    facts.hasOperator &&
      el(
        'a',
        {
          class: 'icon',
          title: texts.explain,
          'aria-label': texts.explain,
          href: `operator#reply=${encodeURIComponent(turn.replyId)}`,
          target: 'operator',
        },
        icon('info'),
      ),
  )
}

function chips(pane: Pane, texts: readonly string[]): Child {
  if (texts.length === 0) return undefined
  return el(
    'div',
    { class: 'chips', role: 'group', 'aria-label': words().pane.suggestions },
    ...texts.map((text) =>
      el('button', { type: 'button', onclick: () => void pane.send(text) }, text),
    ),
  )
}

function questionView(pane: Pane, { text, options, fields }: Question, isLast: boolean): View {
  const { reply } = words()
  const form = el(
    'form',
    {
      'aria-label': reply.form,
      onsubmit: (event) => void pane.send(JSON.stringify(fieldsOf(event))),
    },
    ...fields.map(({ name, type, isRequired }) =>
      el(
        'label',
        {},
        el('span', {}, isRequired ? `${name} (${reply.required})` : name),
        el('input', {
          name,
          required: isRequired,
          type: isNumber(type) ? 'number' : 'text',
          step: 'any',
        }),
      ),
    ),
    el('button', { class: 'primary' }, reply.submitForm),
  )
  return el(
    'div',
    { class: 'question' },
    el('p', { class: 'text' }, text === '' ? reply.form : text),
    isLast && chips(pane, options),
    isLast && fields.length > 0 && form,
  )
}

function toolForm(pane: Pane, reply: ChatReply, calls: ReplyState['toolCalls']): View {
  const { reply: texts } = words()
  return el(
    'form',
    {
      class: 'tools',
      onsubmit: (event) => {
        const outputs = Object.entries(fieldsOf(event))
        void pane.submit(
          reply,
          outputs.map(([callId, output]) => ({ callId, output })),
        )
      },
    },
    ...calls.map(({ callId, kind, name, arguments: given }) =>
      el(
        'label',
        { key: callId },
        el('span', {}, kind === 'FUNCTION' ? texts.tool(name ?? '') : texts.toolQuestion),
        given !== null && el('code', {}, given),
        el('textarea', { name: callId, required: true, rows: 2 }),
      ),
    ),
    el('button', { class: 'primary' }, texts.submitOutputs),
  )
}

function isNumber(type: string): boolean {
  return /^(number|integer|float)$/i.test(type)
}

/** The fields of a form that is sent, as text. */
function fieldsOf(event: Event): Readonly<Record<string, string>> {
  event.preventDefault()
  if (!(event.target instanceof HTMLFormElement)) return {}
  const fields = [...new FormData(event.target)]
  return Object.fromEntries(
    fields.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  )
}
