import { appendFileSync } from 'node:fs'
import { appendFile, readFile } from 'node:fs/promises'
import { securityContext, type AuthEventName, type AuthEvents, type Bouncer } from 'fastify-bouncer'

/** Every event there is: the compiler misses none. */
const NAMES: Readonly<Record<AuthEventName, true>> = {
  user_login: true,
  user_login_failed: true,
  challenge_failed: true,
  recovery_code_used: true,
  recovery_codes_replaced: true,
  mfa_enabled: true,
  mfa_disabled: true,
  oauth_account_linked: true,
  oauth_account_unlinked: true,
  oauth_failed: true,
  user_logout: true,
  token_refreshed: true,
  refresh_token_reused: true,
  rate_limit_exceeded: true,
  password_changed: true,
  password_reset_requested: true,
  password_reset_completed: true,
  verification_requested: true,
  verification_completed: true,
  user_created: true,
  user_registered_again: true,
  user_updated: true,
  user_deleted: true,
  onboarding_started: true,
  onboarding_code_requested: true,
  onboarding_step_completed: true,
  onboarding_step_skipped: true,
  onboarding_step_failed: true,
  onboarding_completed: true,
  onboarding_session_expired: true,
  terms_accepted: true,
  invalid_hash: true
}

/** Writes a line of JSON for all that happens. Events hold no password and no hash, and their tokens are not enumerable: they are not written. */
export function keepAuditLog (events: Bouncer['events'], file: string): void {
  // A file that cannot be written stops the server at start, and not the first event.
  appendFileSync(file, '', { mode: 0o600 })
  for (const name of Object.keys(NAMES) as AuthEventName[]) {
    events.on(name, async (event) => {
      await appendFile(file, `${JSON.stringify({ time: new Date(), event: name, ...withoutIdentifier(event) })}\n`, { mode: 0o600 })
    })
  }
}

// What somebody typed as a name is now and then a password, in the wrong field.
// Users that there are have a userId as well.
function withoutIdentifier (event: AuthEvents[AuthEventName]): object {
  const { identifier, ...rest } = event as { identifier?: string }
  return rest
}

const LATEST = 20

/** Knows nothing of Fastify, is handed no user, and still lets only administrators read. */
export async function readAuditLog (file: string): Promise<{ reader: string, entries: unknown[] }> {
  const entries = await latestEntries(file)
  // Awaits, timers and callbacks do not lose the user.
  return { reader: securityContext.require().email ?? '', entries }
}

async function latestEntries (file: string): Promise<unknown[]> {
  securityContext.requireRole('admin')
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  return lines.slice(-LATEST).map((line) => JSON.parse(line))
}
