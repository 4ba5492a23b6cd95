import type { IsolationRecord, IsolationTarget } from '../../../src/domain/isolation.ts'
import type { IsolationRecords } from '../../../src/store/store.ts'
import type { Commits } from './commits.ts'
import type { State } from './state.ts'

export function createMemoryIsolation(commits: Commits): IsolationRecords {
  return {
    list: () => commits.read(({ isolation }) => [...isolation.values()]),
    recordProof: (target, proof) =>
      commits.write('isolation', (state) => change(state, target, { proof })),
    recordBreach: (target, evidence) =>
      commits.write('isolation', (state) => {
        const { breach } = find(state, target)
        change(state, target, { breach: breach ?? evidence })
      }),
    clearBreaches: (assistantId) =>
      commits.write('isolation', (state) => {
        for (const { target } of state.isolation.values()) {
          if (target.assistantId === assistantId) change(state, target, { breach: null })
        }
      }),
  }
}

export function targetKey({ assistantId, strategy }: IsolationTarget): string {
  return `${assistantId} as ${strategy}`
}

function find({ isolation }: State, target: IsolationTarget): IsolationRecord {
  return isolation.get(targetKey(target)) ?? { target, proof: null, breach: null }
}

function change(state: State, target: IsolationTarget, to: Partial<IsolationRecord>): void {
  state.isolation.set(targetKey(target), { ...find(state, target), ...to })
}
