/** How far from its end a list still counts as being there, in pixels. */
const nearPx = 40
const away = new WeakSet<Element>()

/** Shows the end of the messages while they grow, unless the reader has scrolled away from it. */
export function keepAtEnd(): void {
  for (const list of document.querySelectorAll('.messages')) {
    if (!away.has(list)) list.scrollTop = list.scrollHeight
  }
}

/** Notes where the reader has scrolled to. */
export function noteScrolling({ target }: Event): void {
  if (!(target instanceof Element)) return
  const { scrollHeight, scrollTop, clientHeight } = target
  if (scrollHeight - scrollTop - clientHeight < nearPx) away.delete(target)
  else away.add(target)
}
