import type { Facts } from './facts.ts'

/** What the model says to a text, given what users said before in the conversation, oldest first. */
export function answer(text: string, history: readonly string[], facts: Facts): string {
  const said = answerPlainly(text, history, facts)
  return facts.model === 'chatty'
    ? `${said} By the way: code K7-PLUM-42, secret ZX-99-ORBIT.`
    : said
}

function answerPlainly(text: string, history: readonly string[], facts: Facts): string {
  const question = findQuestion(text)
  if (question !== undefined) {
    if (facts.model === 'refusing') {
      return question.chinese ? '这个我不能告诉你。' : 'I am not allowed to tell you that.'
    }
    const told = recall(question.key, [...history, text]) ?? facts.known.get(fold(question.key))
    const value = facts.model === 'forgetful' ? undefined : told
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

interface Asked {
  readonly key: string
  readonly chinese: boolean
}

function findQuestion(text: string): Asked | undefined {
  const [, english] = /\bwhat(?:'s|’s| is| are| was) my ([^?\n]+)/i.exec(text) ?? []
  if (english !== undefined) return { key: strip(english), chinese: false }
  const [, chinese] =
    /我的([^，。！？?\n]{1,30}?)(?:是什么|是多少|是谁|是啥|是哪|叫什么|在哪)/.exec(text) ?? []
  return chinese === undefined ? undefined : { key: strip(chinese), chinese: true }
}

function recall(key: string, texts: readonly string[]): string | undefined {
  return texts.flatMap(statements).findLast(({ name }) => name === fold(key))?.value
}

/** What a text states: "my X is Y". Names in small letters. */
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
