import { ChatError, createChatClient, fetchTransport, readViewer } from '../client/client.ts'
import { el, type View } from './dom.ts'
import { facts, redraw, showPage } from './page.ts'
import { topBar } from './top-bar.ts'
import { words } from './words/words.ts'

const storageKey = 'token'

/** The token of this tab, which is asked for until one is accepted. */
export async function signIn(page: 'chat' | 'operator'): Promise<string> {
  const stored = sessionStorage.getItem(storageKey)
  if (stored !== null && (await refusalOf(stored, page)) === undefined) return stored
  return await new Promise((resolve) => {
    let problem: string | undefined

    async function enter(token: string): Promise<void> {
      problem = await refusalOf(token, page)
      redraw()
      if (problem !== undefined) return
      sessionStorage.setItem(storageKey, token)
      resolve(token)
    }

    showPage(() => [topBar(page), signInForm(page, problem, enter)])
  })
}

/** Forgets the token of this tab. */
export function signOutButton(): View {
  const onclick = () => {
    sessionStorage.removeItem(storageKey)
    location.reload()
  }
  return el('button', { type: 'button', class: 'small', onclick }, words().signIn.signOut)
}

function signInForm(
  page: 'chat' | 'operator',
  problem: string | undefined,
  enter: (token: string) => Promise<void>,
): View {
  const { signIn: texts } = words()
  return el(
    'main',
    { class: 'sign-in' },
    el(
      'form',
      {
        class: 'card',
        onsubmit: (event) => {
          event.preventDefault()
          const field = document.querySelector('#token')
          if (field instanceof HTMLInputElement) void enter(field.value.trim())
        },
      },
      el('h2', {}, texts.title),
      el('label', { for: 'token' }, texts.token),
      el('input', {
        id: 'token',
        type: 'password',
        required: true,
        autocomplete: 'off',
        'aria-describedby': 'token-hint',
      }),
      el(
        'p',
        { id: 'token-hint', class: 'quiet' },
        page === 'chat' ? texts.hint : texts.operatorHint,
      ),
      problem !== undefined && el('p', { class: 'error', role: 'alert' }, problem),
      el(
        'p',
        { class: 'buttons' },
        el('button', { class: 'primary' }, texts.submit),
        page === 'chat' &&
          facts.hasGuests &&
          el(
            'button',
            { type: 'button', onclick: () => void guestToken().then(enter) },
            texts.guest,
          ),
      ),
    ),
  )
}

async function guestToken(): Promise<string> {
  const response = await fetch('auth/guest', { method: 'POST' })
  const { token }: { token?: string } = Object(await response.json())
  return token ?? ''
}

/** Undefined: the token is accepted for this page. */
async function refusalOf(token: string, page: 'chat' | 'operator'): Promise<string | undefined> {
  const client = createChatClient({
    url: facts.graphql,
    token: () => token,
    transport: fetchTransport(),
    maxAttempts: 1,
  })
  try {
    const { isOperator } = await readViewer(client)
    return page === 'operator' && !isOperator ? words().signIn.notOperator : undefined
  } catch (error) {
    if (error instanceof ChatError) return words().errors[error.code]
    throw error
  } finally {
    client.close()
  }
}
