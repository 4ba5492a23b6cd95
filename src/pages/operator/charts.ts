import { el, type View } from '../dom.ts'

const width = 100
const height = 30

/** A line of values over time, the newest at the right. A picture beside its last value. */
export function sparkline(given: readonly number[]): View {
  const [only = 0] = given
  const values = given.length < 2 ? [only, only] : given
  const max = Math.max(1, ...values)
  const step = width / (values.length - 1)
  const points = values.map((value, index) => {
    const [x, y] = [index * step, height - 1 - (value / max) * (height - 2)]
    return `${x.toFixed(1)},${y.toFixed(1)}`
  })
  return el(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    el('polygon', { class: 'area', points: `0,${height} ${points.join(' ')} ${width},${height}` }),
    el('polyline', { class: 'line', points: points.join(' ') }),
  )
}

/** How much of something is used. A picture beside its numbers. */
export function meter(share: number, isBad = false): View {
  return el(
    'svg',
    { class: 'meter', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    el('rect', { class: 'track', width: 100, height: 8, rx: 2 }),
    el('rect', {
      class: isBad ? 'fill bad' : 'fill',
      width: Math.min(100, Math.max(0, share * 100)).toFixed(1),
      height: 8,
      rx: 2,
    }),
  )
}
