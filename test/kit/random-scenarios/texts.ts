import type { Random } from '../random.ts'

/** Something to say. */
export interface Text {
  readonly text: string
  /** Whether a whole answer repeats the canary. */
  readonly isEchoed: boolean
  readonly asksForTools?: true
}

/** How a canary is said, told, kept and asked for; see the scripted model of the emulator. */
export function writeText(random: Random, canary: string): Text {
  const echoed = (text: string): Text => ({ text, isEchoed: true })
  const unsure = (text: string): Text => ({ text, isEchoed: false })
  const written: readonly (readonly [number, () => Text])[] = [
    [6, () => echoed(`hello ${canary}`)],
    [6, () => echoed(`my secret is ${canary}`)],
    [1, () => echoed(`我的秘密是${canary}`)],
    [4, () => unsure('what is my secret?')],
    [1, () => unsure('我的秘密是什么？')],
    [2, () => echoed(`/keep colour ${canary}\n/say kept ${canary}`)],
    [2, () => unsure('/kept colour')],
    [2, () => echoed(`/think ${canary} it is\n/say so ${canary}`)],
    [2, () => echoed(`/two /followups well ${canary}`)],
    [
      5,
      () =>
        echoed(`/speed ${100 + random.int(400)} /say ${`${canary} `.repeat(3 + random.int(30))}`),
    ],
    [1, () => echoed(`/silent ${random.int(150)}ms /say at last ${canary}`)],
    [1, () => unsure(`/fail 5000 ${canary}`)],
    [1, () => unsure(`/error 5000 ${canary}`)],
    [1, () => unsure(`/ask Which ${canary}?`)],
    [1, () => unsure(`/choose Which ${canary}? | ${canary} | none`)],
    [
      2,
      () => ({
        ...unsure(`/tool lookup {"query": "${canary}"}`),
        asksForTools: true,
      }),
    ],
  ]
  const [, write] = random.weigh(written, ([weight]) => weight)
  return write()
}
