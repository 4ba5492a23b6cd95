import { en, type Words } from './en.ts'
import { toChinese } from './sentences.ts'
import { zh } from './zh.ts'

type Language = 'en' | 'zh'

const languages: Readonly<Record<Language, Words>> = { en, zh }
const storageKey = 'language'

/** The language that was chosen here, or that the browser prefers. */
let language: Language = chosen() ?? (navigator.language.startsWith('zh') ? 'zh' : 'en')
apply()

export function words(): Words {
  return languages[language]
}

/** What the gateway itself says, in the chosen language where all of it is known, and else in English. */
export function translate(text: string): { readonly text: string; readonly lang: Language } {
  const translated = language === 'zh' ? toChinese(text) : undefined
  return translated === undefined ? { text, lang: 'en' } : { text: translated, lang: 'zh' }
}

/** The language that the button offers. */
export function otherLanguage(): { readonly code: Language; readonly name: string } {
  const code = language === 'en' ? 'zh' : 'en'
  return { code, name: languages[code].language }
}

export function switchLanguage(): void {
  language = otherLanguage().code
  localStorage.setItem(storageKey, language)
  apply()
}

/** An instant as people of the language write it. */
export function time(iso: string): string {
  return new Date(iso).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'medium' })
}

function apply(): void {
  document.documentElement.lang = language
}

function chosen(): Language | undefined {
  const stored = localStorage.getItem(storageKey)
  return stored === 'en' || stored === 'zh' ? stored : undefined
}
