import type { Settings } from '../options.ts'

/** What the model sees beside the text of the message and of the conversation. */
export interface ModelInput {
  readonly model: Settings['model']
  /** Names and sizes of uploads, and addresses of images. */
  readonly files: readonly string[]
  readonly parameters: Readonly<Record<string, unknown>>
  /** `custom_variables` of a Bot, `ext` of a Workflow. */
  readonly variables: Readonly<Record<string, string>>
  readonly metaData: Readonly<Record<string, string>>
  /** The user's variables that the platform keeps. */
  readonly storedVariables: Readonly<Record<string, string>>
  /** What the model knows beside the conversation. The names are in small letters. */
  readonly known: ReadonlyMap<string, string>
}

/**
 * The model's answer to a text.
 * @param history what users said before in the conversation, oldest first.
 */
export function answer(text: string, history: readonly string[], input: ModelInput): string {
  const plain = plainAnswer(text, history, input)
  return input.model === 'chatty'
    ? `${plain} By the way: code K7-PLUM-42, secret ZX-99-ORBIT.`
    : plain
}

function plainAnswer(text: string, history: readonly string[], input: ModelInput): string {
  const question = findQuestion(text)
  if (question !== undefined) {
    if (input.model === 'refusing') {
      return question.chinese ? '这个我不能告诉你。' : 'I am not allowed to tell you that.'
    }
    const remembered =
      recall(question.key, [...history, text]) ?? input.known.get(fold(question.key))
    const value = input.model === 'forgetful' ? undefined : remembered
    if (question.chinese) {
      return value === undefined
        ? `我不知道你的${question.key}。`
        : `你的${question.key}是${value}。`
    }
    return value === undefined
      ? `I do not know your ${question.key}.`
      : `Your ${question.key} is ${value}.`
  }
  return isChinese(text) ? `你说：${text}` : `You said: ${text}`
}

interface RecallQuestion {
  readonly key: string
  readonly chinese: boolean
}

function findQuestion(text: string): RecallQuestion | undefined {
  const [, english] = /\bwhat(?:'s|’s| is| are| was) my ([^?\n]+)/i.exec(text) ?? []
  if (english !== undefined) return { key: strip(english), chinese: false }
  const [, chinese] =
    /我的([^，。！？?\n]{1,30}?)(?:是什么|是多少|是谁|是啥|是哪|叫什么|在哪)/.exec(text) ?? []
  return chinese === undefined ? undefined : { key: strip(chinese), chinese: true }
}

function recall(key: string, texts: readonly string[]): string | undefined {
  return texts.flatMap(statements).findLast(({ name }) => name === fold(key))?.value
}

/** The statements "my X is Y" of a text. The names are in small letters. */
export function statements(
  text: string,
): readonly { readonly name: string; readonly value: string }[] {
  return sentences(text).flatMap((sentence) => {
    if (findQuestion(sentence) !== undefined) return []
    const [, name, value] =
      /\bmy ([^\n]{1,60}?) (?:is|are) (.+)/i.exec(sentence) ??
      /我的([^，。！？\n]{1,30}?)(?:是|叫)(.+)/.exec(sentence) ??
      []
    if (name === undefined || value === undefined) return []
    return [{ name: fold(name), value: strip(value) }]
  })
}

function sentences(text: string): readonly string[] {
  return text.split(/(?<=[.!?])\s+|(?<=[。！？])|\n/)
}

function strip(text: string): string {
  return text.trim().replace(/[\s.!?,;。！？，；]+$/u, '')
}

function fold(text: string): string {
  return text.trim().replace(/\s+/g, ' ').toLowerCase()
}

export function isChinese(text: string): boolean {
  return /\p{Script=Han}/u.test(text)
}

/** The model's reply once its own question is answered. */
export function replyToAnswer(question: string, text: string): string {
  return `You answered "${question}" with: ${text}`
}

/** The pieces that are streamed one by one. Joined they give the text again. */
export function words(text: string): readonly string[] {
  return text.match(/\p{Script=Han}{1,2}|[^\s\p{Script=Han}]+\s*|\s+/gu) ?? []
}
