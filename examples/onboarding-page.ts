import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import type { Mailbox } from './mailbox.js'
import { servePages } from './pages.js'

const folder = new URL('./onboarding/', import.meta.url)

/** A page on which a person comes to an account, step by step, and the mailbox that the codes arrive in. */
export async function onboardingPage (app: FastifyInstance, { mailbox }: { mailbox: Mailbox }): Promise<void> {
  const [page, script, style] = await Promise.all(['onboarding.html', 'onboarding.js', 'onboarding.css'].map((name) => readFile(new URL(name, folder), 'utf8')))
  servePages(app, [
    ['/onboarding', 'text/html', page ?? ''],
    ['/onboarding/onboarding.js', 'text/javascript', script ?? ''],
    ['/onboarding/onboarding.css', 'text/css', style ?? ''],
    ['/onboarding/mailbox', 'text/html', () => mailboxPage(mailbox)]
  ])
}

// Everybody's codes for everybody to read: for an example only, which sends no mail.
function mailboxPage (mailbox: Mailbox): string {
  const mails = mailbox.latest().map(({ to, subject, text }) => `<section class="mail"><h2>${escaped(subject)}</h2><p>To ${escaped(to)}</p>${escaped(text)}</section>`)
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Mailbox</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/onboarding/onboarding.css">
</head>
<body><main><h1>Mailbox of the example</h1>${mails.join('') || '<p>There is no mail.</p>'}</main></body>
</html>
`
}

// An address is what a client sent.
function escaped (text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
