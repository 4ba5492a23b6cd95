import { type AssistantId, isTerminal } from '../../src/domain.ts'
import { createDeadline } from '../../src/lib/deadline.ts'
import { StoreError } from '../../src/store/store.ts'
import type { SeededBug } from './bugs/seeded-bug.ts'
import { call } from './calls.ts'
import { assistantIds, type GatewayProcess, startGateway } from './gateway.ts'
import { restartUpstream } from './upstream/world.ts'
import type { World } from './world.ts'

/** Keeps a gateway running, and ends it in all the ways that docs/threats-and-faults.md knows. */
export interface Supervisor {
  /** The gateway that takes requests; waits while there is none. */
  current(): Promise<GatewayProcess>
  /** The one that takes requests now. */
  readonly serving: GatewayProcess | undefined
  /** Nothing happens to gateways any more; one is up, or will be. */
  heal(): void
  /** Buries all gateways that ever were, after the last look. */
  end(): void
  /** An orderly restart, for a last look with other eyes. */
  restart(): Promise<void>
}

const drainMs = 4_000

/** The commit at which a gateway dies, counted from 1. */
export interface CrashPoint {
  readonly moment: 'committing' | 'durable'
  readonly commit: number
}

export function createSupervisor(
  world: World,
  bug: SeededBug,
  crashAt: CrashPoint | undefined,
): Supervisor {
  const { timeline, faults, history } = world
  const { clock } = timeline
  const random = world.random.fork('supervisor')
  const forever = new AbortController().signal
  let serving: GatewayProcess | undefined
  let waiting = Promise.withResolvers<GatewayProcess>()
  const wait = (ms: number) => clock.sleep(ms, forever)

  let isStarting = false
  const all: GatewayProcess[] = []
  /** Others have taken over from them, and they live on. */
  const replaced = new Set<GatewayProcess>()

  /** At most one takes over at a time. */
  async function start(): Promise<void> {
    if (isStarting || serving !== undefined) return
    isStarting = true
    while (serving === undefined) {
      const gateway = startGateway(world, bug)
      all.push(gateway)
      try {
        await Promise.race([gateway.recover(), gateway.died])
        // It died while it looked at what an earlier one had left behind.
        if (!gateway.clock.isAlive) {
          await wait(500)
          continue
        }
        isStarting = false
        serving = gateway
        waiting.resolve(gateway)
      } catch (error) {
        // As a service manager does: a gateway whose store fails at its start is started again.
        if (!(error instanceof StoreError)) throw error
        gateway.kill()
        loseVolatile()
        await wait(500)
      }
    }
  }

  /** Whatever was shown and is not on disk is taken back, and whoever wrote it is gone. */
  function loseVolatile(): void {
    for (const gateway of replaced) gateway.kill()
    replaced.clear()
    history.push({ type: 'crash' })
    world.disk.crash()
  }

  function isAnyRunning(): boolean {
    const replies = [...world.disk.state.replies.values()]
    return replies.some(({ told }) => told.status !== 'QUEUED' && !isTerminal(told.status))
  }

  function leave(gateway: GatewayProcess): void {
    if (serving !== gateway) return
    serving = undefined
    waiting = Promise.withResolvers()
  }

  /** SIGKILL: what is not on disk is lost. */
  function crash(gateway: GatewayProcess): void {
    if (!gateway.clock.isAlive) return
    leave(gateway)
    gateway.kill()
    loseVolatile()
    world.onMoment = () => undefined
    void wait(random.between(20, 3000)).then(start)
  }

  /** SIGTERM: runs get a while, then all ends in order. */
  async function drain(gateway: GatewayProcess, ms: number): Promise<void> {
    using deadline = createDeadline(gateway.clock, ms, () => new Error('the drain is over'))
    await gateway.drain(deadline.signal)
    leave(gateway)
    await gateway.end()
    const isFlushed = await gateway.flush().then(
      () => true,
      () => false,
    )
    if (!gateway.clock.isAlive) return
    gateway.kill()
    // Ends that the store refused are found at the next start: to them this one has died as any other.
    if (isAnyRunning()) history.push({ type: 'crash' })
    if (!isFlushed && serving === undefined && !isStarting) loseVolatile()
  }

  function stop(gateway: GatewayProcess, ms: number): void {
    const gone = Promise.race([drain(gateway, ms), gateway.died])
    void gone.then(() => wait(random.between(20, 1000))).then(start)
  }

  /** At a moment that hurts: something just became durable and nobody was told, or just came in. */
  function soon(run: (gateway: GatewayProcess) => void): void {
    const isCorrected = faults.isDrawn('F13') || faults.isDrawn('F19')
    const wanted =
      isCorrected && random.chance(0.4)
        ? 'correcting'
        : random.pick(['committing', 'durable', 'delivered', 'delivered'])
    let left = wanted === 'correcting' ? 1 : random.between(1, 12)
    world.onMoment = (moment) => {
      if (moment !== wanted) return
      left -= 1
      const gateway = serving
      if (left > 0 || gateway === undefined) return
      world.onMoment = () => undefined
      if (wanted !== 'correcting') return run(gateway)
      // On its way it takes a moment, and once shown another one to be durable.
      clock.timer(random.between(2, 14), () => gateway.clock.isAlive && run(gateway))
    }
  }

  /** Dies at a commit, just before it reaches the disk or just after, with nobody told. */
  function crashOnce({ moment: wanted, commit }: CrashPoint): void {
    let left = commit
    world.onMoment = (moment) => {
      if (moment !== wanted) return
      left -= 1
      if (left > 0 || all.length === 0) return
      world.onMoment = () => undefined
      faults.reach('F21')
      const gateway = all.at(-1)
      if (gateway !== undefined) crash(gateway)
    }
  }

  function killAt(gateway: GatewayProcess): void {
    faults.reach('F21')
    crash(gateway)
  }

  /** A gateway that stood still is taken for dead; it wakes up beside the one that took over (F23). */
  async function replace(gateway: GatewayProcess): Promise<void> {
    gateway.clock.freeze(random.between(1_500, 12_000))
    faults.reach('F23')
    leave(gateway)
    replaced.add(gateway)
    await wait(random.between(100, 1_500))
    // To who runs next it is as dead.
    history.push({ type: 'crash' })
    await start()
    await wait(random.between(10_000, 20_000))
    gateway.kill()
    replaced.delete(gateway)
  }

  async function trouble(): Promise<void> {
    for (;;) {
      await wait(random.between(300, 6_000))
      const gateway = serving
      if (gateway === undefined) continue
      if (faults.strikes('F40', 0.4)) {
        faults.reach('F40')
        timeline.jump(random.pick([-600_000, 600_000, -3_600_000]))
      }
      if (faults.strikes('restart', 0.4)) {
        faults.reach('restart')
        restartUpstream(world.upstream, random.pick([0, 500, 4_000]))
      }
      if (faults.isDrawn('T13') && random.chance(0.1)) {
        const id = random.pick(assistantIds) as AssistantId
        void call(gateway, () => gateway.isolation.clear(id))
      }
      if (faults.strikes('F21', 0.4)) soon(killAt)
      else if (faults.strikes('F23', 0.3)) {
        if (random.chance(0.6)) soon((at) => void replace(at))
        else {
          faults.reach('F23')
          gateway.clock.freeze(5_000)
        }
      } else if (faults.strikes('F25', 0.3)) {
        faults.reach('F25')
        stop(gateway, 0)
      } else if (faults.strikes('F20', 0.3)) {
        faults.reach('F20')
        stop(gateway, drainMs)
      } else if (faults.strikes('F22', 0.3)) {
        stop(gateway, drainMs)
        await wait(random.between(10, 1500))
        if (!gateway.clock.isAlive) continue
        faults.reach('F22')
        crash(gateway)
      }
    }
  }

  void start()
  void trouble()
  if (crashAt !== undefined) crashOnce(crashAt)

  return {
    current: async () => serving ?? waiting.promise,
    get serving() {
      return serving
    },
    heal() {
      world.onMoment = () => undefined
    },
    end() {
      for (const gateway of all) gateway.bury()
    },
    async restart() {
      const gateway = serving
      if (gateway === undefined) return
      await Promise.race([drain(gateway, drainMs), gateway.died])
      await start()
    },
  }
}
