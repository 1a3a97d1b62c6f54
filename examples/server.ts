import { mkdir } from 'node:fs/promises'
import { AuthError } from 'fastify-bouncer'
import { createApp } from './app.js'
import { curlLines } from './curl-lines.js'
import { startIdentityProvider } from './identity-provider.js'
import { keptKey } from './kept-key.js'
import { listen, reservePort } from './listen.js'
import { people } from './seed.js'
import { readServerSettings, SettingsError } from './settings.js'
import { startSignInProvider } from './sign-in-provider.js'

// Started by `npm start`. HOST and PORT say where, PROVIDER_PORT where its sign-in provider is, JWT_SECRET what
// signs tokens, ENCRYPTION_KEY what second factors are encrypted with, DATABASE_URL and REDIS_URL where accounts are,
// DATA_DIR where files go; LOG_LEVEL=info shows a line for each refusal.

const PATIENCE = 1000

async function start (): Promise<void> {
  const settings = readServerSettings(process.env)
  await mkdir(settings.dataDir, { recursive: true, mode: 0o700 })
  const encryptionKey = settings.encryptionKey ?? await keptKey(settings.keyFile)
  const identityProvider = await startIdentityProvider()
  // A provider is told where browsers come back to, so that the port must be known before the server listens.
  const reserved = await reservePort(settings.host, settings.port)
  // As browsers on this machine may call it: a name is another origin than its address.
  const origins = ['127.0.0.1', 'localhost'].map((name) => `http://${name}:${reserved.port}`)
  const acme = await startSignInProvider(settings.providerPort, origins.map((one) => `${one}/auth/oauth/acme/callback`))
  const oauth = { providers: { acme: acme.options }, redirects: origins.map((one) => `${one}/account`) }
  const app = await createApp({ ...settings, encryptionKey, oauth }, identityProvider.options)

  async function stop (): Promise<void> {
    // Requests under way may finish; a browser's open connections do not keep the server.
    setTimeout(() => { app.server.closeAllConnections() }, PATIENCE).unref()
    await app.close()
    await Promise.all([identityProvider.close(), acme.close()])
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)

  // A SIGTERM to npm ends the shell that npm runs scripts with, and goes no further.
  const shell = process.ppid
  const watch = setInterval(() => {
    if (process.env.npm_lifecycle_event !== 'start' || process.ppid === shell) return
    clearInterval(watch)
    stop().catch(console.error)
  }, PATIENCE / 4)
  watch.unref()

  const origin = await listen(app, settings.host, reserved)
  console.log(`The example API listens on ${origin}

  Account page       ${origin}/account, for second factors and linked accounts
  Sign-in provider   ${acme.origin}, where the page leads to
  Onboarding         ${origin}/onboarding, the way to an account, step by step
  Swagger UI         ${origin}/docs
  OpenAPI document   ${origin}/docs/json
  Identity provider  ${identityProvider.jwksUrl}

${people.map(({ email, password, roles }) => `  ${email.padEnd(18)} ${password.padEnd(22)} ${roles.join(', ')}`).join('\n')}

${[...settings.notes, providerNote(acme.origin, settings.providerPort)].join('\n')}

Paste these lines into another terminal, one after the other; the comment says what comes of it. Ctrl-C stops the server.

${curlLines({ origin, dataDir: settings.dataDir, tokens: identityProvider.tokens })}`)
}

/** Linked accounts are known by the address of their provider and a name there. */
function providerNote (origin: string, wanted: number): string {
  return new URL(origin).port === String(wanted)
    ? `Linked accounts are known by the address of their provider, ${origin}: keep PROVIDER_PORT.`
    : `Port ${wanted} was not to be had: accounts that were linked while the provider was elsewhere are not known to ${origin}.`
}

/** What went wrong, for an operator; undefined for what nobody expected. */
function sentenceOf (error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  // Of the system: a port, a name, a folder.
  const isSystem = 'syscall' in error
  if (!isSystem && !(error instanceof AuthError) && !(error instanceof SettingsError)) return undefined
  const { message, cause } = error
  // What stands behind it, such as "connect ECONNREFUSED 127.0.0.1:5432"; for several addresses there is only a code.
  const reason = error instanceof AuthError && cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : undefined
  return reason === undefined ? message : `${message.replace(/\.$/, '')}: ${reason}`
}

try {
  await start()
} catch (error) {
  console.error('The example server cannot start:', sentenceOf(error) ?? error)
  // Not left to run down: a pool of connections may be open.
  process.exit(1)
}
