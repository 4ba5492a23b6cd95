import { type Child, render } from './dom.ts'

const { dataset } = document.documentElement

/** What the gateway has told the page in its HTML. */
export const facts = {
  graphql: dataset['graphql'] ?? 'graphql',
  isDemo: dataset['demo'] !== undefined,
  hasGuests: dataset['guests'] !== undefined,
  hasChat: dataset['chat'] !== undefined,
  hasOperator: dataset['operator'] !== undefined,
}

let isDue = false

/** Draws the page at the next frame, however often it is asked for until then. */
export function redraw(): void {
  if (isDue) return
  isDue = true
  requestAnimationFrame(() => {
    isDue = false
    render(document.body, draw())
    afterDrawing()
  })
}

let draw: () => readonly Child[] = () => []
let afterDrawing: () => void = () => undefined

/** Says how the page looks, and draws it. `after`: what has to be done when it has been drawn. */
export function showPage(look: () => readonly Child[], after: () => void = () => undefined): void {
  draw = look
  afterDrawing = after
  redraw()
}
