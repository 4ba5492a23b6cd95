import type { TabMessage, TabTools } from '../../../src/client/tabs.ts'

type Listener = (event: { readonly data: TabMessage }) => void

interface Claim {
  readonly begin: () => void
  readonly lose: () => void
}

/** Web Locks and channels of one browser, for tabs in one process. */
export function createFakeTabs() {
  const channels = new Map<string, Set<Set<Listener>>>()
  const holders = new Map<string, Claim>()
  const queues = new Map<string, Claim[]>()
  /** How many messages the tabs have posted. */
  let posted = 0

  const queueOf = (name: string) => {
    const queue = queues.get(name) ?? []
    queues.set(name, queue)
    return queue
  }
  function pass(name: string): void {
    holders.delete(name)
    const next = queueOf(name).shift()
    if (next) give(name, next)
  }
  function give(name: string, claim: Claim): void {
    holders.set(name, claim)
    claim.begin()
  }

  const tools: TabTools = {
    locks: {
      request: (name, { signal, steal = false }, hold) =>
        new Promise((resolve, reject) => {
          const abort = () => reject(new DOMException('The lock is lost.', 'AbortError'))
          const claim: Claim = {
            lose: abort,
            begin() {
              const isHeld = () => holders.get(name) === claim
              void Promise.resolve()
                .then(hold)
                .then(resolve, reject)
                .finally(() => isHeld() && pass(name))
            },
          }
          signal?.addEventListener('abort', () => {
            const queue = queueOf(name)
            if (!queue.includes(claim)) return
            queue.splice(queue.indexOf(claim), 1)
            abort()
          })
          const holder = holders.get(name)
          if (steal) holder?.lose()
          if (holder && !steal) queueOf(name).push(claim)
          else give(name, claim)
        }),
    },
    openChannel(name) {
      const members = channels.get(name) ?? new Set()
      channels.set(name, members)
      const own = new Set<Listener>()
      members.add(own)
      return {
        postMessage(message) {
          posted += 1
          const text = JSON.stringify(message)
          for (const other of members) {
            if (other === own) continue
            queueMicrotask(() => {
              if (members.has(other))
                for (const listener of other) listener({ data: JSON.parse(text) })
            })
          }
        },
        close: () => void members.delete(own),
        addEventListener: (_, listener) => void own.add(listener),
      }
    },
  }
  return { tools, posted: () => posted }
}
