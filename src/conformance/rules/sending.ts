import type { Rule } from '../rule.ts'
import { demand, type Sent, sendDocument, type Subject } from '../subject.ts'

async function sendTwice(
  subject: Subject,
  inputs: readonly [object, object],
): Promise<readonly [Sent['sendMessage'] | undefined, Sent['sendMessage'] | undefined]> {
  const [first, second] = await Promise.all(
    inputs.map((input) => subject.ask<Sent>(sendDocument, { variables: { input } })),
  )
  return [first?.data?.sendMessage, second?.data?.sendMessage]
}

const seenOf = (sent: Sent['sendMessage'] | undefined) =>
  sent?.reply?.id ?? sent?.code ?? 'no answer'

export const sendingRules: readonly Rule[] = [
  {
    id: '5.1',
    level: 'MUST',
    sentence:
      'A message that is sent again with the same `idempotencyKey` returns the reply that it has already.',
    async check(subject) {
      const input = { ...subject.message, idempotencyKey: subject.newKey() }
      const { data } = await subject.ask<Sent>(sendDocument, { variables: { input } })
      const again = await subject.ask<Sent>(sendDocument, { variables: { input } })
      const [first, second] = [seenOf(data?.sendMessage), seenOf(again.data?.sendMessage)]
      demand(data?.sendMessage.reply !== undefined, `the message was refused: ${first}`)
      demand(first === second, `first ${first}, then ${second}`)
    },
  },
  {
    id: '5.2',
    level: 'MUST',
    sentence: 'Two such messages that are sent at once have one reply.',
    async check(subject) {
      const input = { ...subject.message, idempotencyKey: subject.newKey() }
      const [first, second] = await sendTwice(subject, [input, input])
      demand(first?.reply !== undefined, `the message was refused: ${seenOf(first)}`)
      demand(seenOf(first) === seenOf(second), `${seenOf(first)} and ${seenOf(second)}`)
    },
  },
  {
    id: '5.3',
    level: 'MUST',
    sentence:
      'A message with a used `idempotencyKey` and another input is refused as `IDEMPOTENCY_MISMATCH`.',
    async check(subject) {
      const idempotencyKey = subject.newKey()
      const input = { ...subject.message, idempotencyKey }
      await subject.ask<Sent>(sendDocument, { variables: { input } })
      const other = { ...input, text: `${input.text} Now.` }
      const { data } = await subject.ask<Sent>(sendDocument, { variables: { input: other } })
      const seen = seenOf(data?.sendMessage)
      demand(seen === 'IDEMPOTENCY_MISMATCH', `it was answered with ${seen}`)
    },
  },
]
