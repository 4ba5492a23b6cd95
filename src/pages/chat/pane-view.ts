import type { Assistant } from '../../client/client.ts'
import { el, type Child, type View } from '../dom.ts'
import { icon } from '../icons.ts'
import { translate, words } from '../words/words.ts'
import type { Pane } from './pane.ts'
import { noteScrolling } from './scrolling.ts'
import { isOpen } from './transcript.ts'
import { turnView } from './turn.ts'

/** One user's chat. */
export function paneView(pane: Pane, assistant: Assistant | undefined, isShown: boolean): View {
  const { pane: texts } = words()
  const { name } = pane
  return el(
    'section',
    {
      key: name,
      class: `pane of-${name.toLowerCase()}${isShown ? ' shown' : ''}`,
      id: `pane-${name}`,
      'aria-label': texts.chatOf(name),
      'aria-busy': pane.isLoading ? 'true' : undefined,
      ondragover: (event) => event.preventDefault(),
      ondrop: (event) => {
        event.preventDefault()
        if (event instanceof DragEvent) void pane.files.add(event.dataTransfer?.files ?? [])
      },
    },
    header(pane),
    el(
      'div',
      {
        key: pane.conversationId ?? 'new',
        class: 'messages',
        tabindex: 0,
        role: 'region',
        'aria-label': texts.messagesOf(name),
        onscroll: noteScrolling,
      },
      pane.hasOlder &&
        el('button', { class: 'older', onclick: () => void pane.older() }, texts.olderMessages),
      !pane.isLoading && pane.turns.length === 0 && beginning(pane, assistant),
      el(
        'ol',
        { class: 'turns' },
        ...pane.turns.map((turn, index) => turnView(pane, turn, index === pane.turns.length - 1)),
      ),
    ),
    composer(pane, assistant),
  )
}

function header(pane: Pane): View {
  const { pane: texts, connection } = words()
  const { name, viewer, conversationId } = pane
  const { status } = pane.chat.connection.snapshot()
  return el(
    'header',
    { class: 'pane-head' },
    el('div', { class: 'avatar', 'aria-hidden': 'true' }, name.slice(0, 1)),
    el(
      'div',
      { class: 'who' },
      el('h2', {}, name),
      el(
        'p',
        { class: 'quiet', title: texts.sessionHint },
        `${texts.session} `,
        el('code', {}, viewer?.sessionFingerprint ?? '…'),
      ),
    ),
    el(
      'div',
      { class: 'link' },
      el('span', { class: `dot ${status}`, role: 'status' }, connection[status]),
      el(
        'button',
        { type: 'button', class: 'small', title: texts.cutHint, onclick: () => pane.cut() },
        texts.cut,
      ),
    ),
    el(
      'div',
      { class: 'conversations' },
      el(
        'select',
        {
          'aria-label': texts.conversation,
          value: conversationId ?? '',
          onchange: ({ target }) => {
            if (target instanceof HTMLSelectElement) void pane.open(target.value || undefined)
          },
        },
        ...pane.conversations.map(({ id, title }) =>
          el(
            'option',
            { key: id, value: id, selected: id === conversationId },
            title ?? texts.untitled,
          ),
        ),
        el(
          'option',
          { key: 'new', value: '', selected: conversationId === undefined },
          texts.newConversation,
        ),
      ),
    ),
  )
}

function beginning(pane: Pane, assistant: Assistant | undefined): View {
  const { pane: texts } = words()
  const ours = pane.suggestions.map((text) => translate(text).text)
  const openings = [...(assistant?.suggestedOpenings ?? []), ...ours]
  return el(
    'div',
    { class: 'beginning' },
    el('p', {}, assistant?.greeting ?? texts.empty),
    openings.length > 0 &&
      el(
        'div',
        { class: 'chips', role: 'group', 'aria-label': texts.suggestions },
        ...openings.map((text) =>
          el('button', { type: 'button', onclick: () => void pane.send(text) }, text),
        ),
      ),
  )
}

function composer(pane: Pane, assistant: Assistant | undefined): View {
  const { pane: texts, errors } = words()
  const isBusy = pane.turns.some(({ reply }) => reply && isOpen(reply.state.snapshot()))
  return el(
    'form',
    {
      class: 'composer',
      onsubmit: (event) => {
        event.preventDefault()
        if (event.target instanceof HTMLFormElement) void sendFrom(pane, event.target)
      },
    },
    pane.error !== undefined && el('p', { class: 'error', role: 'alert' }, errors[pane.error]),
    files(pane),
    el(
      'div',
      { class: 'row' },
      assistant?.acceptsAttachments === true &&
        el(
          'label',
          { class: 'attach', title: texts.attach },
          el('span', { class: 'hidden' }, texts.attach),
          icon('clip'),
          el('input', {
            type: 'file',
            multiple: true,
            class: 'hidden',
            onchange: chooseFiles(pane),
          }),
        ),
      el('textarea', {
        name: 'text',
        rows: 1,
        required: true,
        'aria-label': texts.placeholder(pane.name),
        placeholder: texts.placeholder(pane.name),
        maxlength: pane.viewer?.limits.maxMessageLength,
        onkeydown: sendOnEnter,
      }),
      isBusy &&
        el(
          'button',
          { key: 'stop', type: 'button', class: 'stop', onclick: () => void pane.stop() },
          texts.stop,
        ),
      el('button', { key: 'send', class: 'primary' }, texts.send),
    ),
  )
}

function files(pane: Pane): Child {
  const { pane: texts } = words()
  if (pane.files.list.length === 0) return undefined
  return el(
    'ul',
    { class: 'files' },
    ...pane.files.list.map((file) =>
      el(
        'li',
        { class: 'file' },
        file.attachment ? file.name : texts.uploading(file.name, file.percent),
        el(
          'button',
          {
            type: 'button',
            class: 'icon',
            'aria-label': texts.remove(file.name),
            onclick: () => pane.files.remove(file),
          },
          icon('close'),
        ),
      ),
    ),
  )
}

function chooseFiles(pane: Pane) {
  return ({ target }: Event) => {
    if (!(target instanceof HTMLInputElement)) return
    const chosen = [...(target.files ?? [])]
    target.value = ''
    void pane.files.add(chosen)
  }
}

/** What is typed is taken back into the field if it could not be sent. */
async function sendFrom(pane: Pane, form: HTMLFormElement): Promise<void> {
  const field = form.elements.namedItem('text')
  if (!(field instanceof HTMLTextAreaElement)) return
  const text = field.value
  if (text.trim() === '') return
  field.value = ''
  const isSent = await pane.send(text)
  if (!isSent && field.value === '') field.value = text
}

/** Enter sends, and Shift+Enter begins a line. An input method takes its own Enter. */
function sendOnEnter(event: Event): void {
  if (!(event instanceof KeyboardEvent) || !(event.target instanceof HTMLTextAreaElement)) return
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  event.target.form?.requestSubmit()
}
