import type { Random } from '../../kit/random.ts'
import { markersIn } from './markers.ts'
import type { Conversation } from './world.ts'

const words = [
  'stone',
  'lamp',
  '你好，',
  'river',
  '😀🎉',
  'é',
  'orchard',
  '\n',
  'harbour',
  '👩‍👩‍👧',
] as const

/** What the model answers: whose token asked, what was said, and whose marks the conversation bears. */
export function composeAnswer(
  random: Random,
  request: {
    readonly principal: string
    readonly text: string
    readonly conversation: Conversation
  },
): readonly string[] {
  const { owner, messages } = request.conversation
  // A run that was let in may never be heard of: what it left is nothing that a gateway could keep from the owner.
  const recalled = messages.filter(
    ({ principal }) => owner !== request.principal || principal === owner,
  )
  const seen = markersIn(recalled.map(({ content }) => content).join(' '))
  const first = `${markersIn(request.principal).join('')} heard ${request.text}; here: ${seen.join(' ')}.`
  const more = () =>
    Array.from({ length: random.between(2, 14) }, () => random.pick(words)).join(' ')
  return random.chance(0.2) ? [`${first} ${more()}`, more()] : [`${first} ${more()}`]
}

/** A text in pieces, cut anywhere: inside a character of two code units as well. */
export function cutText(random: Random, text: string): readonly string[] {
  const count = random.between(1, 9)
  const cuts = Array.from({ length: count }, () => random.between(1, Math.max(1, text.length - 1)))
  const places = [...new Set([0, ...cuts, text.length])].toSorted((a, b) => a - b)
  return places
    .slice(1)
    .map((to, index) => text.slice(places[index] ?? 0, to))
    .filter((piece) => piece !== '')
}
