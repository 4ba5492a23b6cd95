import { el, type Child, type View } from './dom.ts'
import { facts, redraw } from './page.ts'
import { otherLanguage, switchLanguage, words } from './words/words.ts'

/** The head of both pages. */
export function topBar(page: 'chat' | 'operator', ...own: readonly Child[]): View {
  const { title, tagline, taglineAlone, console: operatorTitle, graphiql, chatPage } = words()
  const { code, name } = otherLanguage()
  const about = facts.isDemo ? tagline : taglineAlone
  return el(
    'header',
    { key: 'top', class: 'top' },
    el(
      'div',
      { class: 'brand' },
      el('h1', {}, page === 'chat' ? title : operatorTitle),
      page === 'chat' && el('p', { class: 'quiet' }, about),
    ),
    ...own,
    el(
      'nav',
      { class: 'links' },
      page === 'operator' && facts.hasChat && el('a', { href: './' }, chatPage),
      page === 'chat' && facts.hasOperator && el('a', { href: 'operator' }, operatorTitle),
      el('a', { href: facts.graphql }, graphiql),
      el(
        'button',
        {
          type: 'button',
          class: 'small',
          lang: code,
          onclick: () => {
            switchLanguage()
            redraw()
          },
        },
        name,
      ),
    ),
  )
}
