import { Type } from '@sinclair/typebox'
import t, { type Test } from 'tap'
import { memoryStore, type OnboardingAnswer, type Store } from '../../../index.js'
import { systemClock } from '../../../lib/clock.js'
import { registerStep, type OnboardingStep } from '../../../lib/onboarding.js'
import { redisStore } from '../../../lib/store/redis.js'
import { postgresStore, sqliteStore } from '../../../lib/store/sql.js'
import { email, mailedCode, walk, wholeFlow } from '../../onboarding.js'
import { noPostgres, noRedis, onRedis, postgresSchema, redisPrefix, redisUrl, sqliteFile } from '../../store/engines.js'
import { bare, type Bare } from './bare.js'

const password = 'correct horse battery'

interface Engine {
  skip?: string | false
  /** Two handles of the same data, as two processes have them. */
  open (t: Test): Promise<readonly [Store, Store]>
}

async function opened (t: Test, ...stores: Store[]): Promise<readonly [Store, Store]> {
  for (const store of stores) {
    await store.open?.()
    t.teardown(() => store.close?.())
  }
  return [stores[0] as Store, stores.at(-1) as Store]
}

const engines: Record<string, Engine> = {
  memory: { open: async (t) => await opened(t, memoryStore()) },
  SQLite: {
    async open (t) {
      const file = await sqliteFile(t)
      return await opened(t, sqliteStore(file), sqliteStore(file))
    }
  },
  PostgreSQL: {
    skip: await noPostgres(),
    async open (t) {
      const url = await postgresSchema(t)
      return await opened(t, postgresStore(url, { poolSize: 4 }), postgresStore(url, { poolSize: 4 }))
    }
  },
  Redis: {
    skip: await noRedis(),
    async open (t) {
      const prefix = redisPrefix()
      const redis = onRedis(t)
      t.teardown(async () => {
        const keys = await redis.keys(`${prefix}*`)
        if (keys.length > 0) await redis.del(keys)
      })
      const users = memoryStore()
      const handles = [redisStore(redisUrl, { prefix }), redisStore(redisUrl, { prefix })]
      for (const handle of handles) {
        await handle.open?.()
        t.teardown(() => handle.close?.())
      }
      return handles.map(({ ephemeral }) => ({ ...users, ephemeral })) as unknown as readonly [Store, Store]
    }
  }
}

/** Two processes over the same data. */
async function pair (t: Test, { open }: Engine, steps: readonly OnboardingStep[]): Promise<readonly [Bare, Bare, Store]> {
  const [one, other] = await open(t)
  return [bare({ steps, store: one, clock: systemClock }), bare({ steps, store: other, clock: systemClock }), one]
}

/** What came of calls made at once: answers, and the sentences of refusals. */
async function atOnce (calls: Array<Promise<OnboardingAnswer>>): Promise<{ answers: OnboardingAnswer[], refusals: string[] }> {
  const settled = await Promise.allSettled(calls)
  return {
    answers: settled.flatMap((one) => one.status === 'fulfilled' ? [one.value] : []),
    refusals: settled.flatMap((one) => one.status === 'rejected' ? [String(one.reason.errors?.[0] ?? one.reason.code)] : [])
  }
}

for (const [name, engine] of Object.entries(engines)) {
  t.test(name, { skip: engine.skip ?? false }, async (t) => {
    await t.test('the whole flow', async (t) => {
      const { onboarding } = wholeFlow()
      const [one, other] = await pair(t, engine, onboarding.steps)
      const { session } = await one.accounts.onboarding.start({ email })
      const happened = (() => [...one.events, ...other.events].filter(({ name }) => name === 'onboarding_code_requested').map(({ event }) => event)) as never
      const end = (await walk({ app: { bouncer: one.accounts } as never, happened }, session)).at(-1)
      t.match(end, { status: 'complete', access_token: /^access/ })
      t.match(mailedCode({ happened }), /^\d{6}$/)
      await t.rejects(other.accounts.onboarding.resume(session), { code: 'ONBOARDING_FLOW_COMPLETE' }, 'and another process knows it')
    })

    await t.test('attack: twenty advances at once run the step once', async (t) => {
      let runs = 0
      const slow: OnboardingStep = {
        name: 'slow',
        schema: Type.Object({}),
        hint: { title: 'Slow' },
        async execute () {
          runs++
          await new Promise((resolve) => setTimeout(resolve, 30))
        }
      }
      const [one, other] = await pair(t, engine, [slow, { ...slow, name: 'next', execute: () => { t.fail('the next step was run by data for this one') } }])
      const { session } = await one.accounts.onboarding.start({ email })
      const { answers, refusals } = await atOnce(Array.from({ length: 20 }, async (_, index) => await (index % 2 === 0 ? one : other).accounts.onboarding.advance(session, {}, { step: 'slow' })))
      t.equal(runs, 1)
      t.equal(answers.length, 1)
      t.match(answers[0], { current_step: 'next' })
      t.equal(refusals.length, 19)
      t.ok(refusals.every((sentence) => ['This step is being processed', 'Another step is due'].includes(sentence)))
    })

    await t.test('attack: twenty registrations at once make one user and one session', async (t) => {
      const [one, other, store] = await pair(t, engine, [registerStep()])
      const { session } = await one.accounts.onboarding.start({ email: `twenty-${email}` })
      const { answers } = await atOnce(Array.from({ length: 20 }, async (_, index) => await (index % 2 === 0 ? one : other).accounts.onboarding.advance(session, { password })))
      t.equal(answers.length, 1)
      t.match(answers[0], { status: 'complete', access_token: /^access/ })
      const user = await store.users.findByEmail(`twenty-${email}`)
      t.equal((await store.sessions.listLive(user?.id ?? '', Date.now(), { limit: 9 })).items.length, 1)
      t.equal([...one.events, ...other.events].filter(({ name }) => name === 'user_login').length, 1)
    })

    await t.test('advance and skip at once: one of them', async (t) => {
      const free: OnboardingStep = { name: 'free', schema: Type.Object({}), hint: { title: 'Free' }, isRequired: () => false, execute: async () => { await new Promise((resolve) => setTimeout(resolve, 10)) } }
      const [one, other] = await pair(t, engine, [free, registerStep()])
      const { session } = await one.accounts.onboarding.start({ email })
      const call = { step: 'free' }
      const { answers } = await atOnce(Array.from({ length: 10 }, async (_, index) => await (index % 2 === 0 ? one.accounts.onboarding.advance(session, {}, call) : other.accounts.onboarding.skip(session, call))))
      t.equal(answers.length, 1)
      const { completed_steps: completed, skipped_steps: skipped } = await one.accounts.onboarding.resume(session)
      t.equal(completed.length + skipped.length, 1)
    })

    await t.test('of starts at once for one address, one session is left', async (t) => {
      const [one, other] = await pair(t, engine, [registerStep()])
      const started = await Promise.all(Array.from({ length: 10 }, async (_, index) => await (index % 2 === 0 ? one : other).accounts.onboarding.start({ email: `starts-${email}` })))
      const { answers, refusals } = await atOnce(started.map(async ({ session }) => await one.accounts.onboarding.resume(session)))
      t.equal(answers.length, 1)
      t.strictSame(refusals, Array(9).fill('ONBOARDING_SESSION_INVALID'))
    })

    await t.test('guesses at once are counted one by one', async (t) => {
      const [one, other] = await pair(t, engine, [{ name: 'count', schema: Type.Object({}), hint: { title: 'Count' }, async execute ({ count }) { return await count('x', 5) ? { done: false } : { errors: ['too many'] } } }])
      const { session } = await one.accounts.onboarding.start({ email })
      let passed = 0
      for (let round = 0; round < 8; round++) passed += (await atOnce([one, other].map(async ({ accounts }) => await accounts.onboarding.advance(session)))).answers.length
      t.equal(passed, 5)
    })
  })
}
