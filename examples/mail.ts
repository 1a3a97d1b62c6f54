import { randomUUID } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Account, Bouncer } from 'fastify-bouncer'

/** A mail as nodemailer takes it. */
export interface Mail {
  from: string
  to: string
  subject: string
  text: string
}

/** Sends a mail; what kind it is and whom it is for are besides, for a sender that writes files. */
export type SendMail = (mail: Mail, about: { kind: 'verify' | 'reset', user: Account }) => Promise<unknown>

/** The package sends no mail. It says what happened, with a token, and this writes to the user. */
export function writeMails (events: Bouncer['events'], send: SendMail): void {
  const from = 'Example <no-reply@example.com>'

  // Awaited: where mail is slow, put it into a queue instead. A listener that
  // throws is logged, and the request goes on.
  events.on('verification_requested', async ({ user, token, expiresAt }) => {
    const text = `Welcome! Verify your address, before ${expiresAt.toISOString()}, with this token:\n\n${token}\n`
    await send({ from, to: user.email, subject: 'Verify your address', text }, { kind: 'verify', user })
  })

  events.on('password_reset_requested', async ({ user, token, expiresAt }) => {
    const text = `Somebody asked for a new password for you. If it was you, set it before ${expiresAt.toISOString()} with this token:\n\n${token}\n`
    await send({ from, to: user.email, subject: 'Your new password', text }, { kind: 'reset', user })
  })
}

/** Writes mails into a folder, each user's latest of a kind: `<user id>-reset.txt`. */
export function intoFolder (folder: string): SendMail {
  return async ({ from, to, subject, text }, { kind, user }) => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    // By id: an address is what a client sent, and no name for a file.
    const file = join(folder, `${user.id}-${kind}.txt`)
    const unfinished = `${file}.${randomUUID()}`
    // Renamed, so that nobody reads half a mail.
    await writeFile(unfinished, `From: ${from}\nTo: ${to}\nSubject: ${subject}\n\n${text}`, { mode: 0o600 })
    await rename(unfinished, file)
  }
}

/** What is used of nodemailer's transporter. */
export interface Transporter {
  sendMail (mail: Mail): Promise<unknown>
}

/**
 * Sends mails for real, with nodemailer:
 *
 *     import { createTransport } from 'nodemailer'
 *     writeMails(app.bouncer.events, through(createTransport('smtps://name:password@smtp.example.com')))
 */
export function through (transporter: Transporter): SendMail {
  return (mail) => transporter.sendMail(mail)
}
