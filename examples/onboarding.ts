import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Type } from '@sinclair/typebox'
import type { OnboardingOptions } from 'fastify-bouncer'
import { profileStep, registerStep, termsStep, totpStep, verifyEmailStep } from 'fastify-bouncer/onboarding'

const profile = Type.Object({
  name: Type.String({ title: 'Your name', minLength: 1, maxLength: 80 }),
  team: Type.Union([Type.Literal('birds'), Type.Literal('fish'), Type.Literal('neither')], { title: 'Your team' }),
  newsletter: Type.Optional(Type.Boolean({ title: 'Send me the newsletter' }))
})

/** The way to an account of the example. The address first: so only its owner learns whether there is an account. */
export function onboarding (dataDir: string): OnboardingOptions {
  return {
    steps: [
      verifyEmailStep(),
      registerStep(),
      profileStep({
        schema: profile,
        title: 'About you',
        description: 'Others in your team see it.',
        // Written whole: where it comes twice, the last one stands.
        async save (user, data) {
          await mkdir(join(dataDir, 'profiles'), { recursive: true, mode: 0o700 })
          await writeFile(join(dataDir, 'profiles', `${user.id}.json`), JSON.stringify(data), { mode: 0o600 })
        }
      }),
      termsStep({
        version: '2026-11',
        description: 'Be kind, and tell nobody your password.',
        async save ({ user, version, acceptedAt }) {
          await appendFile(join(dataDir, 'terms.jsonl'), `${JSON.stringify({ userId: user?.id, version, acceptedAt })}\n`, { mode: 0o600 })
        }
      }),
      totpStep({ required: false })
    ]
  }
}
