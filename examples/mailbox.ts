import type { Bouncer } from 'fastify-bouncer'
import type { Mail } from './mail.js'

/** What would have been mailed. */
export interface Mailbox {
  /** The latest mails, the newest first. */
  latest (): readonly Mail[]
}

const KEPT = 20

/** Keeps the mails with codes of onboarding, which whoever tries the page reads. An application sends them. */
export function keepMailbox (events: Bouncer['events']): Mailbox {
  const mails: Mail[] = []
  events.on('onboarding_code_requested', ({ email, code, expiresAt }) => {
    const text = `Your code is ${code}. It works until ${expiresAt.toISOString()}.`
    mails.unshift({ from: 'Example <no-reply@example.com>', to: email, subject: 'Your code', text })
    mails.length = Math.min(mails.length, KEPT)
  })
  return { latest: () => mails }
}
