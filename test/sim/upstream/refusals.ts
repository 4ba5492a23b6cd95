import { Buffer } from 'node:buffer'
import { answerJson, type Call } from './call.ts'
import { unheard } from './server.ts'
import { revokeToken } from './tokens.ts'
import type { Token, UpstreamWorld } from './world.ts'

/**
 * What may meet a call before its endpoint does. True: it has been answered.
 *
 * @param begin lets the endpoint have it all the same: for failures that hide an acceptance.
 */
export function meetRefusal(
  world: UpstreamWorld,
  call: Call,
  token: Token,
  begin: (call: Call) => void,
): boolean {
  const { faults, random, platform } = world
  const isChat = call.path === '/v3/chat' || call.path === '/v1/workflows/chat'
  const refuse = (status: number, body: object, headers: Readonly<Record<string, string>> = {}) => {
    answerJson(world, call.answer, status, body, headers)
    return true as const
  }

  if (faults.strikes('F3', 0.25)) {
    faults.reach('F3')
    const revoked = random.chance(0.5) ? [token] : [...world.tokens.values()]
    for (const each of revoked) revokeToken(world, each)
    if (platform === 'studio') {
      return refuse(200, {
        code: 700012006,
        msg: 'authentication failed: CheckPermission failed',
      })
    }
    return random.chance(0.5)
      ? refuse(401, { code: 4100, msg: 'authentication is invalid' })
      : refuse(200, { code: 4101, msg: 'the token you entered is incorrect' })
  }
  if (faults.strikes('F6', 0.3)) {
    faults.reach('F6')
    // A Studio has no limits of its own: what stands before it has.
    const code = platform === 'cloud' ? random.pick([4009, 4020, 429]) : 429
    const body = { code, msg: 'slow down' }
    const soon = new Date(world.now() + 2000).toUTCString()
    const wait = random.pick([undefined, '1', '2', soon, '3600'])
    return refuse(429, body, wait === undefined ? {} : { 'retry-after': wait })
  }
  if (faults.strikes('F7', isChat ? 0.25 : 0.1)) {
    faults.reach('F7')
    const status = random.pick([500, 502, 503])
    // It may have been taken on all the same: nobody but the upstream knows.
    if (isChat && random.chance(0.5)) begin({ ...call, answer: unheard })
    if (random.chance(0.5)) {
      const code = platform === 'cloud' ? 5000 : 500
      return refuse(status, { code, msg: 'internal server error' })
    }
    call.answer.head(status, { 'content-type': 'text/html' })
    call.answer.write(Buffer.from('<html>bad gateway</html>'))
    call.answer.end()
    return true
  }
  if (!isChat) return false

  const id = call.query.get('conversation_id') ?? call.body['conversation_id']
  const conversation = typeof id === 'string' ? world.conversations.get(id) : undefined
  if (faults.strikes('F8', 0.3)) {
    faults.reach('F8')
    if (platform === 'studio') return refuseAsStudio(call, random.pick(studioRefusals), refuse)
    const body = { code: random.pick([4000, 4011, 4013, 4015, 4200]), msg: 'no' }
    if (random.chance(0.5)) return refuse(200, body)
    call.answer.head(200, { 'content-type': 'application/json' })
    call.answer.write(Buffer.from(`${JSON.stringify(body)}\n`))
    call.answer.end()
    return true
  }
  if (platform === 'cloud' && conversation !== undefined && faults.strikes('F17', 0.3)) {
    faults.reach('F17')
    conversation.busyUntil = world.clock.monotonic() + random.pick([500, 3000, 15_000])
    return false
  }
  if (
    conversation !== undefined &&
    (conversation.messages.length > 0 || platform === 'studio') &&
    faults.strikes('F41', 0.5)
  ) {
    faults.reach('F41')
    conversation.isGone = true
    return false
  }
  if (faults.strikes('F9', 0.15)) {
    faults.reach('F9')
    if (random.chance(0.5)) begin({ ...call, answer: unheard })
    call.answer.reset()
    return true
  }
  return false
}

interface Refusal {
  readonly code: number
  readonly msg: string
}

const studioRefusals: readonly [Refusal, ...Refusal[]] = [
  { code: 720702004, msg: 'workflow 1 not found' },
  { code: 720702011, msg: 'Workflow not published.' },
  {
    code: 777777775,
    msg: 'Workflow operation failure: code=106000001 message=unauthorized access : no permission\nstack=here',
  },
]

/** A Bot's refusal is told in the stream of a run that never was. */
function refuseAsStudio(
  call: Call,
  body: Refusal,
  refuse: (status: number, body: object) => true,
): true {
  if (call.path !== '/v3/chat') return refuse(200, body)
  const why = 'code=100000000 message=invalid parameter : agent not published, agentID=5'
  call.answer.head(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  const data = JSON.stringify({ code: 103100001, msg: `${why}\nstack=here` })
  call.answer.write(Buffer.from(`event:error\ndata:${data}\n\n`))
  call.answer.end()
  return true
}
