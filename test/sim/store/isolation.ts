import type { IsolationRecord, IsolationTarget } from '../../../src/domain/isolation.ts'
import type { IsolationRecords } from '../../../src/store/isolation-records.ts'
import type { Pipe } from './pipe.ts'
import type { State } from './state.ts'

export function createMemoryIsolation(pipe: Pipe): IsolationRecords {
  return {
    async list() {
      await pipe.settled()
      return [...pipe.state.isolation.values()]
    },
    recordProof: (target, proof) => pipe.hard((state) => change(state, target, { proof })),
    recordBreach: (target, evidence) =>
      pipe.hard((state) => {
        const { breach } = find(state, target)
        change(state, target, { breach: breach ?? evidence })
      }),
    clearBreaches: (assistantId) =>
      pipe.hard((state) => {
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
