import { replyCodes, requestCodes, streamCodes, unionCodes } from './codes.ts'
import {
  comparePositions,
  type End,
  type History,
  type Open,
  type Position,
  type Refused,
  type Seen,
  type SeenEvent,
  type Truth,
} from './history.ts'
import {
  agree,
  type Complain,
  createReader,
  type Entry,
  isEnded,
  type Reader,
  unseen,
} from './reader.ts'

const documented = { request: requestCodes, union: unionCodes, stream: streamCodes }

/**
 * Checks a history against the seven rules of faults.md. Answers what is wrong, readable and starting with the rule's
 * number; nothing when all is well.
 *
 * Give a `truth` for every accepted reply: without it only the readers are compared.
 */
export function check(history: History): readonly string[] {
  const problems: string[] = []
  const complain = (rule: number, problem: string) => void problems.push(`${rule}: ${problem}`)
  const owners = new Map<string, string>()
  const truths = new Map<string, readonly Entry[]>()
  const conversations = new Map<string, string>()
  const corrected = new Set<string>()
  const deleted = new Set<string>()
  /** Per reply: the cursor of its end. */
  const ended = new Map<string, string>()
  const readers = new Map<string, Reader>()
  const connections = new Map<string, { readonly as: string; readonly reader: Reader }>()
  /** Per session and cursor: what the first reader to meet it made of it. */
  const shown = new Map<string, { readonly entry: Entry; readonly by: string }>()
  let crashed = false

  for (const step of history) {
    if (step.type === 'send' && step.accepted) {
      owners.set(step.accepted.replyId, step.as)
      conversations.set(step.accepted.replyId, step.accepted.conversationId)
    }
    if (step.type === 'truth' && step.corrected) corrected.add(step.replyId)
    if (step.type === 'deleted') deleted.add(step.replyId)
    if (step.type === 'crash') crashed = true
  }
  for (const step of history) if (step.type === 'truth') readTruth(step)
  for (const step of history) {
    if (step.type === 'open') open(step)
    else if (step.type === 'seen') see(step)
    else if (step.type === 'end') end(step)
    else if (step.type === 'refused') checkCode(step)
  }
  for (const { as, reader } of connections.values()) checkReach(as, reader)
  checkTerminals()
  checkOnce(history, deleted, complain)
  return problems

  function isCorrectable(replyId: string): boolean {
    return crashed || corrected.has(replyId)
  }

  function readTruth(step: Truth) {
    const name = `log of ${step.replyId}`
    const reader = createReader(name, complain)
    const { as, replyId } = step
    reader.open({ type: 'open', reader: name, connection: name, as, replyId }, () => undefined)
    for (const event of step.events) {
      const entry = reader.see(event, isCorrectable(replyId))
      if (entry) agreeWithOthers(as, name, entry)
    }
    truths.set(replyId, reader.timeline)
    const last = reader.last(replyId)?.state ?? unseen
    const { snapshot } = step
    if (!snapshot) return
    if (snapshot.status !== last.status) {
      complain(3, `${replyId} is shown as ${snapshot.status}, its log says ${last.status}`)
    }
    if (snapshot.text !== last.answer.text || snapshot.reasoning !== last.reasoning.text) {
      complain(4, `${replyId} is shown with another text than its log has`)
    }
  }

  function open(step: Open) {
    const reader = readers.get(step.reader) ?? createReader(step.reader, complain)
    readers.set(step.reader, reader)
    checkReach(step.as, reader)
    connections.set(step.connection, { as: step.as, reader })
    reader.open(step, (replyId, at) => {
      const truth = truths.get(replyId)
      const [first] = truth ?? []
      if (first && comparePositions(at, first.position) < 0) return unseen
      return truth?.find((entry) => comparePositions(entry.position, at) === 0)?.state
    })
  }

  function see(step: Seen) {
    const connection = connections.get(step.connection)
    if (!connection) return complain(1, `${step.connection} was never opened`)
    const { replyId } = step.event
    const owner = owners.get(replyId)
    if (owner === undefined) complain(5, `${step.connection}: ${replyId} was never accepted`)
    else if (owner !== connection.as) {
      complain(5, `${step.connection} of ${connection.as} was sent ${replyId} of ${owner}`)
    }
    const entry = connection.reader.see(step.event, isCorrectable(replyId))
    if (entry) agreeWithOthers(connection.as, step.connection, entry)
  }

  function end(step: End) {
    const reader = connections.get(step.connection)?.reader
    const replyId = reader?.request?.replyId
    if (!reader || replyId === undefined || step.how !== 'complete') return
    const state = reader.last(replyId)?.state
    if (state && !isEnded(state)) complain(3, `${step.connection} is complete, ${replyId} is not`)
  }

  function agreeWithOthers(as: string, by: string, entry: Entry) {
    checkReplyCode(entry.event)
    if (isTerminal(entry.event)) {
      const { cursor, replyId } = entry.event
      const first = ended.get(replyId) ?? cursor
      ended.set(replyId, first)
      if (first !== cursor) complain(3, `${replyId} ended at ${first}, and to ${by} at ${cursor}`)
    }
    const key = JSON.stringify([as, entry.event.cursor])
    const first = shown.get(key)
    if (!first) return void shown.set(key, { entry, by })
    const { event } = first.entry
    if (event.replyId !== entry.event.replyId || event.body.type !== entry.event.body.type) {
      complain(2, `${event.cursor} is another event to ${by} than to ${first.by}`)
    } else if (!agree(first.entry.state, entry.state, crashed ? kindOf(entry.event) : undefined)) {
      complain(2, `after ${event.cursor} ${by} and ${first.by} disagree on ${event.replyId}`)
    }
  }

  /** All that the log tells up to the last cursor of a reader's pass must have reached it, be it merged. */
  function checkReach(as: string, reader: Reader) {
    const { request, from } = reader
    const until = reader.timeline.at(-1)?.position
    if (!request || !until) return
    for (const [replyId, truth] of truths) {
      if (owners.get(replyId) !== as || !isWanted(request, replyId)) continue
      const start =
        from ?? (request.replyId === undefined ? reader.timeline[0]?.position : undefined)
      const due = truth.findLast(
        ({ position }) => isAfter(position, start) && comparePositions(position, until) <= 0,
      )
      const seen = reader.last(replyId)?.position
      if (due && (!seen || comparePositions(seen, due.position) < 0)) {
        complain(
          1,
          `${request.reader} is at ${until.epoch}.${until.seq} and missed ${due.event.cursor}`,
        )
      }
    }
  }

  function isWanted(request: Open, replyId: string): boolean {
    if (request.replyId !== undefined) return request.replyId === replyId
    const { conversationId } = request
    return conversationId === undefined || conversations.get(replyId) === conversationId
  }

  function checkTerminals() {
    for (const replyId of owners.keys()) {
      if (deleted.has(replyId)) continue
      const truth = truths.get(replyId)
      const ends = truth?.filter((entry) => isTerminal(entry.event)) ?? []
      if (truth ? ends.length === 0 : !ended.has(replyId)) complain(3, `${replyId} never ended`)
      if (ends.length > 1) complain(3, `${replyId} ended ${ends.length} times`)
      if (ends[0] && ends[0] !== truth?.at(-1)) complain(3, `${replyId} went on after its end`)
    }
  }

  function checkCode(step: Refused) {
    if (!documented[step.where].has(step.code)) {
      complain(7, `${step.code} is no documented code of a ${step.where}`)
    }
  }

  function checkReplyCode({ body, replyId }: SeenEvent) {
    if (body.type === 'failed' && !replyCodes.has(body.code)) {
      complain(7, `${replyId} failed with ${body.code}, which is not documented`)
    }
  }
}

function checkOnce(history: History, deleted: ReadonlySet<string>, complain: Complain) {
  const keys = new Map<string, string>()
  for (const step of history) {
    if (step.type === 'chats' && step.count > 1) {
      complain(6, `the message of ${step.replyId} became ${step.count} upstream chats`)
    }
    if (step.type !== 'send' || step.idempotencyKey === undefined || !step.accepted) continue
    const key = JSON.stringify([step.as, step.idempotencyKey])
    const { replyId } = step.accepted
    const first = keys.get(key) ?? replyId
    // A key is kept as long as its reply.
    keys.set(key, deleted.has(first) ? replyId : first)
    if (first !== replyId && !deleted.has(first)) {
      complain(
        6,
        `key ${step.idempotencyKey} of ${step.as} made ${first} and ${step.accepted.replyId}`,
      )
    }
  }
}

/** After a crash, text that was shown but lost is taken back kind by kind: until then the other kind may differ. */
function kindOf({ body }: SeenEvent): 'ANSWER' | 'REASONING' | undefined {
  return body.type === 'delta' ? body.kind : undefined
}

function isTerminal({ body }: SeenEvent): boolean {
  const { type } = body
  return type === 'completed' || type === 'failed' || type === 'cancelled'
}

function isAfter(position: Position, start: Position | undefined): boolean {
  return start === undefined || comparePositions(position, start) > 0
}
