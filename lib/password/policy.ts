import { AuthUnavailableError } from '../errors/operation.js'
import { isSimilar } from './similarity.js'
import { spell, type Spelling } from './spelling.js'

/** Whose password it is. Rules of the application's own see it as it was given, with whatever else it has. */
export interface PasswordSubject {
  email?: string | null
  username?: string | null
}

/** Answers with one sentence for people when it refuses a password, with undefined when it does not. It is given the password in NFKC. */
export type PasswordRule = (password: string, subject: PasswordSubject) => string | undefined | Promise<string | undefined>

/** The rules, with every default filled in. */
export interface PolicySettings {
  minLength: number
  maxLength: number
  common: boolean
  numeric: boolean
  similarity: number | false
  uppercase: boolean
  lowercase: boolean
  digit: boolean
  symbol: boolean
  rules: readonly PasswordRule[]
}

/** Sentences for all rules that a password fails. Throws {@link AuthUnavailableError} when one of the application's cannot tell. */
export type Policy = (password: string, subject: PasswordSubject) => Promise<string[]>

type Check = (spelling: Spelling, subject: PasswordSubject) => boolean | Promise<boolean>

/** The check of a new password against all rules. */
export function createPolicy (settings: PolicySettings): Policy {
  const checks = checksOf(settings)

  return async (password, subject) => {
    const spelling = spell(password, settings.maxLength)
    // No further rule looks at a password that has no bounds.
    if (typeof spelling === 'string') return [sentenceOf(spelling, settings.maxLength)]
    const failures: string[] = []
    for (const [sentence, passes] of checks) {
      if (!await passes(spelling, subject)) failures.push(sentence)
    }
    for (const rule of settings.rules) {
      const sentence = await ask(rule, spelling.normal, subject)
      if (sentence !== undefined) failures.push(sentence)
    }
    return failures
  }
}

/** Why a password cannot be read. */
export function sentenceOf (problem: 'long' | 'malformed', maxLength: number): string {
  return problem === 'long' ? `Password must be at most ${maxLength} characters` : 'Password must be valid Unicode text'
}

function checksOf (settings: PolicySettings): Array<[sentence: string, passes: Check]> {
  const { minLength, similarity } = settings
  const has = (pattern: RegExp): Check => ({ normal }) => pattern.test(normal)
  const unlike = (attribute: 'email' | 'username'): Check => ({ normal }, subject) => similarity === false || !isSimilar(normal, subject[attribute], similarity)
  const checks: Array<[wanted: boolean, sentence: string, passes: Check]> = [
    [true, `Password must be at least ${minLength} characters`, ({ length }) => length >= minLength],
    [settings.uppercase, 'Password must contain at least one uppercase letter', has(/\p{Lu}/u)],
    [settings.lowercase, 'Password must contain at least one lowercase letter', has(/\p{Ll}/u)],
    [settings.digit, 'Password must contain at least one digit', has(/\p{Nd}/u)],
    [settings.symbol, 'Password must contain at least one symbol', has(/[\p{P}\p{S}]/u)],
    [settings.numeric, 'Password must not be entirely numeric', ({ normal }) => !/^\p{N}+$/u.test(normal)],
    [settings.common, 'Password must not be a commonly used password', async ({ normal }) => !await isCommon(normal)],
    [true, 'Password must not be too similar to your e-mail address', unlike('email')],
    [true, 'Password must not be too similar to your user name', unlike('username')]
  ]
  return checks.filter(([wanted]) => wanted).map(([, sentence, passes]) => [sentence, passes])
}

async function isCommon (password: string): Promise<boolean> {
  // Loaded on first use, and searched as one text, which takes less than a
  // millisecond: to make a set of it blocks everybody for thirty.
  const { commonPasswords } = await import('./common-passwords.js')
  return !/\s/.test(password) && commonPasswords.includes(` ${password.toLowerCase()} `)
}

async function ask (rule: PasswordRule, password: string, subject: PasswordSubject): Promise<string | undefined> {
  const answer: unknown = await call(rule, password, subject)
  if (answer === undefined || (typeof answer === 'string' && answer !== '')) return answer
  throw new AuthUnavailableError({ dependency: 'password rules', cause: new TypeError('a rule answered with something else than a sentence or undefined') })
}

async function call (rule: PasswordRule, password: string, subject: PasswordSubject): Promise<unknown> {
  try {
    return await rule(password, subject)
  } catch (cause) {
    throw new AuthUnavailableError({ dependency: 'password rules', cause })
  }
}
