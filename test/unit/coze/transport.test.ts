import { Agent } from 'undici'
import { describe, expect, it } from 'vitest'
import { requireDispatch } from '../../../src/coze/transport.ts'

describe('the package that speaks HTTP', () => {
  it('is refused in words at the start where a runtime replaces it by a part of it, as Bun does', () => {
    class Stub {}
    expect(() => requireDispatch(Stub.prototype)).toThrow(/"undici".*Bun.*Node\.js/)
    expect(() => requireDispatch(Agent.prototype)).not.toThrow()
  })
})
