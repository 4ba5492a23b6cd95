import { execFileSync } from 'node:child_process'
import type { Reporter, TestModule } from 'vitest/node'
import { figure } from './soak.ts'

/** Every test and every hook has a limit that is shorter. */
const longestSilenceMs = figure(1_200_000, 7_200_000)

/**
 * Ends a run in which no test has ended for a long time. The limit of a test is a timer of its own process, and does not end
 * a loop that never comes back to its timers, nor a worker that is lost: such a run would go on for ever without a word.
 * Says which files were running, and whether their processes (STAT) were busy (R) or asleep (S).
 */
export class SilenceReporter implements Reporter {
  readonly #running = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  onTestRunStart(): void {
    this.#heard()
  }

  onTestModuleQueued(module: TestModule): void {
    this.#running.add(module.relativeModuleId)
    this.#heard()
  }

  onTestCaseResult(): void {
    this.#heard()
  }

  onTestModuleEnd(module: TestModule): void {
    this.#running.delete(module.relativeModuleId)
    this.#heard()
  }

  onTestRunEnd(): void {
    clearTimeout(this.#timer)
  }

  #heard(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#end(), longestSilenceMs)
  }

  #end(): void {
    const files = [...this.#running].join(', ')
    console.error(`No test ended for ${longestSilenceMs / 1_000} s. Running: ${files}`)
    execFileSync('ps', ['-o', 'pid,ppid,stat,etime,time,args', '--ppid', String(process.pid)], {
      stdio: 'inherit',
    })
    // The workers are ended by the process that watches over them, once this one is gone.
    process.exit(1)
  }
}
