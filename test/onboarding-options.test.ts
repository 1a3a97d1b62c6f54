import { Type } from '@sinclair/typebox'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import authPlugin, { ConfigurationError, memoryStore, validateOptions, type AuthPluginOptions } from '../index.js'
import { profileStep, registerStep, totpStep, verifyEmailStep, type OnboardingStep } from '../lib/onboarding.js'
import { cheapHash } from './accounts.js'
import { options, server } from './build.js'
import { encryptionKey } from './totp.js'

const step = { name: 'one', schema: Type.Object({}), hint: { title: 'One' }, execute () {} }

/** Checks that register() and validateOptions() both refuse, with one error that names the option and the remedy. */
async function refuses (t: Test, onboarding: unknown, option: string, remedy: RegExp, more: AuthPluginOptions = {}): Promise<void> {
  const given = { ...options, store: memoryStore(), onboarding, ...more } as AuthPluginOptions
  const thrown: unknown[] = []
  try { validateOptions(given) } catch (error) { thrown.push(error) }
  await server(t).register(authPlugin, given).then(() => {}, (error: unknown) => { thrown.push(error) })
  t.equal(thrown.length, 2, `${option}: ${inspect(onboarding, { depth: 3 })}`)
  for (const error of thrown) {
    t.ok(error instanceof ConfigurationError)
    t.match(error, { option, message: remedy })
    t.ok((error as ConfigurationError).message.startsWith(option))
  }
}

t.test('what cannot be meant is refused, with the name of the option and the remedy', async (t) => {
  for (const odd of [null, true, 'register', []]) await refuses(t, odd, 'onboarding', /must be \{ steps, sessionLifetime, invalidatePrevious \}/)
  await refuses(t, { steps: [step], lifetime: 5 }, 'onboarding.lifetime', /is not an option of fastify-bouncer/)
  for (const steps of [[], undefined, {}, 'all']) await refuses(t, { steps }, 'onboarding.steps', /must be a list of at least one step, such as registerStep\(\)/)
  for (const sessionLifetime of [0, -1, 86_401, NaN, '60']) await refuses(t, { steps: [step], sessionLifetime }, 'onboarding.sessionLifetime', /must be a number of seconds above 0, up to a day/)
  await refuses(t, { steps: [step], invalidatePrevious: 'no' }, 'onboarding.invalidatePrevious', /must be true or false/)
})

t.test('steps that nobody could go through', async (t) => {
  for (const odd of [null, 'register', 5, registerStep]) await refuses(t, { steps: [odd] }, 'onboarding.steps.0', /must be a step: \{ name, schema, hint, execute \}/)
  const wrong: Array<[member: string, values: unknown[], remedy: RegExp]> = [
    ['name', [undefined, '', 'One', '1', '__proto__', 'a b', 'x'.repeat(65), 5], /must be small letters, digits and underscores/],
    ['schema', [undefined, {}, Type.String(), { type: 'object' }, 'schema', Type.Union([Type.Object({}), Type.Object({})])], /must be the schema of an object/],
    ['hint', [undefined, null, {}, 'One', { title: 5 }, { title: 'One', fields: 'ab' }, { title: 'One', fields: [null] }, { title: 'One', fields: [{ name: 'a' }] }, { title: 'One', fields: [{ name: 'a', type: 'text', label: 'A' }] }], /must be \{ title, description, fields \}, each field \{ name, type, label, required \}, or a function/],
    ['after', ['register', [5]], /must be a list of names/],
    ['isRequired', [true, null], /must be a function, or be left out/],
    ['execute', [undefined, {}], /must be a function/]
  ]
  for (const [member, values, remedy] of wrong) {
    for (const value of values) await refuses(t, { steps: [registerStep(), { ...step, [member]: value }] }, `onboarding.steps.1.${member}`, remedy)
  }
  await refuses(t, { steps: [step, { ...step }] }, 'onboarding.steps.1.name', /is one like that of another step/)
  for (const schema of [Type.Object({ day: Type.String({ format: 'date' }) }), Type.Object({ a: Type.Unsafe({ type: 'strange' }) }), Type.Object({ a: Type.Unsafe({ surprise: 1 }) })]) {
    await refuses(t, { steps: [{ ...step, schema }] }, 'onboarding.steps.0.schema', /cannot be used: .*Formats there are email, username and role\./)
  }
})

t.test('what a step needs is there before it', async (t) => {
  await refuses(t, { steps: [totpStep(), registerStep()] }, 'onboarding.steps.0', /setup_totp, needs the step register before it/)
  await refuses(t, { steps: [profileStep({ schema: Type.Object({}), save () {} })] }, 'onboarding.steps.0', /profile, needs the step register before it/)
  await refuses(t, { steps: [registerStep(), totpStep()] }, 'onboarding.steps.1', /setup_totp, needs encryptionKey/)
  const conceal = { concealExistingUsers: true, requireVerified: true }
  await refuses(t, { steps: [registerStep(), verifyEmailStep()] }, 'onboarding.steps.0', /register, needs verifyEmailStep\(\) before it: with concealExistingUsers/, conceal)
  t.doesNotThrow(() => validateOptions({ ...options, store: memoryStore(), encryptionKey, ...conceal, onboarding: { steps: [verifyEmailStep(), registerStep(), totpStep()] } }))
  t.throws(() => validateOptions({ ...options, onboarding: { steps: [registerStep()] } }), { option: 'onboarding', message: /needs a store/ })
})

t.test('a step may be an instance of a class', async (t) => {
  class Own implements OnboardingStep {
    readonly name = 'own'
    readonly schema = Type.Object({})
    readonly hint = { title: 'Own' }
    private readonly welcome = 'hello'
    async execute () { return { show: { welcome: this.welcome } } }
    isRequired () { return this.welcome === 'hello' }
  }
  const app = server(t)
  await app.register(authPlugin, { ...options, passwords: cheapHash, store: memoryStore(), onboarding: { steps: [new Own()] } })
  const { session } = await app.bouncer.onboarding.start({ email: 'nora@example.com' })
  t.match(await app.bouncer.onboarding.advance(session), { status: 'complete', shown: { welcome: 'hello' } })
})
