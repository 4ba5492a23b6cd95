import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { until } from './until.ts'

/** Addresses of one link: of our end, and of the network's. */
interface Link {
  readonly ours: string
  readonly theirs: string
}

/** A network namespace of its own, with two links to ours, of which one can be cut without a word to either end. */
export interface SeparateNetwork extends AsyncDisposable {
  /** Goes before a command that is to run in the namespace; its process keeps its pid. */
  readonly command: readonly [string, ...string[]]
  /** The namespace's address on the link that stays. */
  readonly address: string
  /** Its address on the link that can be cut. */
  readonly fragileAddress: string
  /** From now on all packets of the fragile link are dropped: no FIN and no RST comes through. */
  cut(): void
}

/** Addresses that no other run of the tests on this machine has: its namespace is held by another process. */
function linksOf(pid: number): Readonly<Record<'steady' | 'fragile', Link>> {
  const network = `10.${200 + ((pid >> 8) % 50)}.${pid % 256}`
  return {
    steady: { ours: `${network}.1`, theirs: `${network}.2` },
    fragile: { ours: `${network}.5`, theirs: `${network}.6` },
  }
}

/** @throws where the machine lets nobody make a network namespace: this can be tested nowhere else, so it is not skipped. */
export async function openSeparateNetwork(): Promise<SeparateNetwork> {
  await using stack = new AsyncDisposableStack()
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep infinity'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [first] = await Promise.race([
    once(holder.stdout, 'data'),
    once(holder, 'exit').then(() => []),
    once(holder, 'error').then(() => []),
  ])
  if (first === undefined || holder.pid === undefined) throw new Error(needed)
  const pid = String(holder.pid)
  const links = linksOf(holder.pid)
  stack.defer(async () => {
    const exited = once(holder, 'exit')
    holder.kill('SIGKILL')
    await exited
  })
  const command = ['nsenter', `--net=/proc/${pid}/ns/net`] as const
  const inside = (...args: readonly string[]) => run([...command, ...args])
  inside('ip', 'link', 'set', 'lo', 'up')
  for (const [name, { ours, theirs }] of Object.entries(links)) {
    const device = `${name}${pid}`.slice(0, 15)
    run(['ip', 'link', 'add', device, 'type', 'veth', 'peer', 'name', name, 'netns', pid])
    stack.defer(() => void run(['ip', 'link', 'delete', device]))
    run(['ip', 'address', 'add', `${ours}/30`, 'dev', device])
    run(['ip', 'link', 'set', device, 'up'])
    inside('ip', 'address', 'add', `${theirs}/30`, 'dev', name)
    inside('ip', 'link', 'set', name, 'up')
  }
  await until(
    () =>
      Object.keys(links).every((name) => inside('ip', 'link', 'show', name).includes('LOWER_UP')),
    'the links to be up',
  )
  const owned = stack.move()
  return {
    command,
    address: links.steady.theirs,
    fragileAddress: links.fragile.theirs,
    cut: () => void run(['ip', 'link', 'set', `fragile${pid}`.slice(0, 15), 'down']),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const needed =
  'this test needs a network namespace: run it as root, with the capabilities NET_ADMIN and SYS_ADMIN, on a machine with unshare, nsenter and ip (util-linux, iproute2)'

function run([program = '', ...args]: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (cause) {
    throw new Error(needed, { cause })
  }
}
