import type { Caller } from '../domain.ts'

/** Whether the caller's credential has the operators' scope. A guest has no scopes. */
export function isOperator({ scopes }: Pick<Caller, 'scopes'>, operatorScope: string): boolean {
  return scopes.includes(operatorScope)
}
