import { afterAll, beforeAll, describe, it } from 'vitest'
import type { System } from '../kit/process/system.ts'
import { describeChatRecipe } from '../kit/recipes/chat-steps.ts'
import { curl } from '../kit/recipes/curl.ts'
import {
  apolloMultipart,
  apolloSse,
  graphqlSse,
  graphqlWs,
  relay,
  urql,
} from '../kit/recipes/libraries.ts'
import { miniProgram } from '../kit/recipes/mini-program.ts'
import { findPython, python } from '../kit/recipes/python.ts'
import { describeRecipe, startRecipeSystem } from '../kit/recipes/ten-steps.ts'

describe('the recipe for', () => {
  let system: System
  beforeAll(async () => void (system = await startRecipeSystem()), 120_000)
  afterAll(() => system[Symbol.asyncDispose]())

  const recipes = {
    curl,
    'graphql-sse': graphqlSse,
    'graphql-ws': graphqlWs,
    urql,
    'Apollo Client, by multipart': apolloMultipart,
    'Apollo Client, by server-sent events': apolloSse,
    Relay: relay,
  }
  for (const [name, open] of Object.entries(recipes)) describeRecipe(name, open, () => system)
  for (const kind of ['wx', 'uni', 'Taro'] as const)
    describeChatRecipe(`a mini-program with ${kind}`, miniProgram(kind), () => system)
  if (findPython()) describeRecipe('Python', python, () => system)
  else it.skip('Python: `pip install httpx` is needed', () => undefined)
})
