import { PasswordPolicyError, UserAlreadyExistsError } from '../errors/account.js'
import { AuthError } from '../errors/auth-error.js'
import { AuthUnavailableError } from '../errors/operation.js'
import { CommandError } from './command.js'

/** What a failure is told with, a line for each sentence; a stack only for what nobody expected. `secrets` are never among it. */
export function failureLines (error: unknown, secrets: readonly string[] = []): string[] {
  if (error instanceof PasswordPolicyError) return ['The password is not acceptable: nothing was changed.', ...error.errors ?? []]
  if (error instanceof UserAlreadyExistsError) return [`There is a user with the ${error.identifierType === 'email' ? 'e-mail address' : 'user name'} ${error.identifierValue} already: nothing was changed.`]
  if (error instanceof AuthUnavailableError) return [error.message, ...reasons(error.cause, secrets)]
  if (error instanceof AuthError || error instanceof CommandError) return [error.message]
  return [`Something went wrong that should not: ${error instanceof Error ? error.stack : String(error)}`]
}

/** The parts of texts with addresses in them that may be a password, also where one was written down wrongly. */
export function secretsIn (texts: readonly string[]): string[] {
  const found = texts.flatMap((text) => [
    // Of a password that is not encoded, what follows an @ or a slash of it would count as host or database.
    ...(/^[^:]*:\/\/[^:]*:(.*)@/s.exec(text)?.[1] ?? '').split(/[:@/?#[\]]/),
    ...[...text.matchAll(/[?&](?:ssl)?password=([^&#]*)/gi)].map(([, value = '']) => value)
  ])
  return [...found, ...found.map(decoded)].filter((part) => part !== '')
}

/** What the database or a library said; of what may hold a secret, the code alone. */
function reasons (cause: unknown, secrets: readonly string[]): string[] {
  // Each address that a host name stands for was tried.
  const causes = cause instanceof AggregateError ? cause.errors : [cause]
  return causes.filter((one) => one instanceof Error).map((one: NodeJS.ErrnoException) => {
    const message = one.message.toLowerCase()
    return secrets.some((secret) => message.includes(secret.toLowerCase())) ? `${one.code ?? one.name}` : one.message
  })
}

function decoded (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
