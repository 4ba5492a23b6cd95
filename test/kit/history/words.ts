import type { Facts } from './facts.ts'
import type { Complain, History, SeenEvent } from './history.ts'

/**
 * Rule 5, for texts: nobody reads a word of another, and everybody reads their own.
 * @param form what words look like; what looks like one and was said by nobody is none.
 */
export function checkWords(
  history: History,
  form: RegExp,
  { truths, owners }: Facts,
  complain: Complain,
): void {
  const saidBy = new Map<string, string>()
  const connectedAs = new Map<string, string>()
  for (const step of history) if (step.type === 'word') saidBy.set(step.word, step.as)

  function look(as: string, text: string, where: string): void {
    for (const [word] of text.matchAll(form)) {
      const owner = saidBy.get(word)
      if (owner !== undefined && owner !== as) complain(5, `${where} of ${as} has ${word}`)
    }
  }

  function lookAt(as: string, { cursor, body }: SeenEvent, by: string): void {
    if ('text' in body) look(as, body.text, `${by}: ${cursor}`)
  }

  for (const step of history) {
    if (step.type === 'open') connectedAs.set(step.connection, step.as)
    if (step.type === 'seen') {
      lookAt(connectedAs.get(step.connection) ?? '', step.event, step.connection)
    }
    if (step.type === 'word' && step.replyId !== undefined) {
      const last = truths.get(step.replyId)?.events.at(-1)?.body
      if (last?.type === 'completed' && !last.text.includes(step.word)) {
        complain(5, `${step.replyId} lacks ${step.word}: the control fails`)
      }
    }
  }
  for (const [replyId, { events, snapshot }] of truths) {
    const as = owners.get(replyId) ?? ''
    for (const event of events) lookAt(as, event, `log of ${replyId}`)
    if (snapshot) look(as, `${snapshot.text}\n${snapshot.reasoning}`, replyId)
  }
}
