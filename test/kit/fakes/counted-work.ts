/** How many characters JavaScript's own functions on texts have read or copied. */
export interface CountedWork extends Disposable {
  readonly characters: number
}

/**
 * Counts what is done with texts from now on, in this process, until it is disposed. Joining two texts with `+` is not
 * counted: it copies nothing.
 */
export function countWork(): CountedWork {
  let characters = 0
  const stack = new DisposableStack()

  function count<Name extends string>(
    owner: Readonly<Record<Name, (...given: never[]) => unknown>>,
    name: Name,
    cost: (self: unknown, result: unknown, given: readonly unknown[]) => number,
  ): void {
    const original = owner[name]
    const counted = function (this: unknown, ...given: readonly unknown[]): unknown {
      const result: unknown = Reflect.apply(original, this, given)
      characters += 1 + cost(this, result, given)
      return result
    }
    Object.defineProperty(owner, name, { value: counted, configurable: true, writable: true })
    stack.defer(() =>
      Object.defineProperty(owner, name, { value: original, configurable: true, writable: true }),
    )
  }

  const lengthOf = (value: unknown) => (typeof value === 'string' ? value.length : 0)
  const ofSelf = (self: unknown) => lengthOf(self)
  const ofResult = (_self: unknown, result: unknown) => lengthOf(result)
  const ofGiven = (_self: unknown, _result: unknown, [first]: readonly unknown[]) => lengthOf(first)
  count(String.prototype, 'slice', ofResult)
  count(String.prototype, 'substring', ofResult)
  count(String.prototype, 'charCodeAt', () => 0)
  count(String.prototype, 'startsWith', ofGiven)
  count(String.prototype, 'isWellFormed', ofSelf)
  count(String.prototype, 'toWellFormed', ofSelf)
  count(String.prototype, 'indexOf', (self, found, [, from]) => {
    const end = typeof found === 'number' && found >= 0 ? found : lengthOf(self)
    return Math.max(0, end - (typeof from === 'number' ? from : 0))
  })
  count(Array.prototype, 'join', ofResult)
  count(JSON, 'stringify', ofResult)
  count(JSON, 'parse', ofGiven)

  return {
    get characters() {
      return characters
    },
    [Symbol.dispose]: () => stack.dispose(),
  }
}
