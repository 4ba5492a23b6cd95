import { el, type View } from './dom.ts'

/** The outlines, on a field of 24 by 24. */
const paths = {
  clip: 'M20 11.5l-8 8a5 5 0 0 1-7-7l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.4a1.7 1.7 0 0 1-2.4-2.4l7.8-7.7',
  like: 'M7 10v10H4V10zm0 0l4-7a2.4 2.4 0 0 1 2.4 2.4V9h5.4a2 2 0 0 1 2 2.4l-1.4 7a2 2 0 0 1-2 1.6H7',
  dislike:
    'M17 14V4h3v10zm0 0l-4 7a2.4 2.4 0 0 1-2.4-2.4V15H5.2a2 2 0 0 1-2-2.4l1.4-7a2 2 0 0 1 2-1.6H17',
  shield:
    'M12 3l7.5 2.8v5.4c0 4.6-3.1 8.2-7.5 9.8-4.4-1.6-7.5-5.2-7.5-9.8V5.8zM8.5 12l2.5 2.5 4.5-4.7',
  info: 'M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18zM12 11v5.5M12 7.6v.1',
  close: 'M6 6l12 12M18 6L6 18',
} as const

/** A picture beside a text, which says the same. */
export function icon(name: keyof typeof paths): View {
  return el(
    'svg',
    { class: 'picture', viewBox: '0 0 24 24', 'aria-hidden': 'true' },
    el('path', { d: paths[name] }),
  )
}
