import { Type } from '@sinclair/typebox'
import fc from 'fast-check'
import t from 'tap'
import { AuthError, memoryStore, type OnboardingAnswer } from '../../../index.js'
import { registerStep, type OnboardingStep, type StepOutcome } from '../../../lib/onboarding.js'
import { dataCheck } from '../../../lib/flow/onboarding/data.js'
import type { OnboardingSettings } from '../../../lib/flow/onboarding/engine.js'
import { campaign } from '../../fuzz/campaign.js'
import { testClock } from '../../store/engines.js'
import { bare, mortal, type Bare, type Fault } from './bare.js'

// No sequence of starts, advances, skips, resumes, crashes and clock jumps
// reaches a completed flow with a required step missing.

const LIFETIME = 600
const password = 'correct horse battery'
const schema = Type.Object({ strict: Type.Optional(Type.Boolean()) })
const register = registerStep()
const [check, checkRegister] = [dataCheck(schema), dataCheck(register.schema)]
const addresses = ['a@example.com', 'b@example.com'] as const

/** Whether a step is required: always, never, by what another step was told, or by a function that fails or says something else. */
type Rule = 'always' | 'never' | 'by_data' | 'fails' | 'odd'
type Answer = 'done' | 'errors' | 'stays' | 'throws' | 'odd' | 'ends' | 'hangs up'

interface Command {
  kind: 'start' | 'advance' | 'skip' | 'resume' | 'twice' | 'jump'
  /** Which of the sessions so far, from the newest. */
  session: number
  answer: Answer
  strict: boolean
  address: typeof addresses[number]
  jump: number
  fault: Fault | null
  /** Another process goes on. */
  restart: boolean
}

const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.oneof({ weight: 2, arbitrary: fc.constant('start' as const) }, { weight: 8, arbitrary: fc.constant('advance' as const) }, { weight: 4, arbitrary: fc.constant('skip' as const) }, fc.constant('resume' as const), { weight: 2, arbitrary: fc.constant('twice' as const) }, fc.constant('jump' as const)),
  session: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.nat(3)),
  answer: fc.oneof({ weight: 8, arbitrary: fc.constant('done' as const) }, fc.constantFrom('errors' as const, 'stays' as const, 'throws' as const, 'odd' as const, 'ends' as const)),
  strict: fc.boolean(),
  address: fc.constantFrom(...addresses),
  jump: fc.constantFrom(1, 29, 31, 60, 599, 601, 90_000, -31, -601),
  fault: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, fc.record({ after: fc.nat(8), done: fc.boolean() })),
  restart: fc.boolean()
})
const rules = fc.array(fc.constantFrom<Rule>('always', 'always', 'never', 'never', 'by_data', 'fails', 'odd'), { minLength: 1, maxLength: 4 })

interface Seen { token: string, address: string, id: string, newer: boolean, expiresAt: number }

/** A world of its own for one sequence. */
class World {
  readonly clock = testClock()
  readonly store = mortal(memoryStore({ clock: this.clock.now }))
  readonly sessions: Seen[] = []
  /** Steps that said that they are done, by session. */
  readonly executed = new Map<string, Set<string>>()
  readonly skipped = new Map<string, Set<string>>()
  readonly tokens: string[] = []
  readonly ends = { complete: 0, skipped: 0, refused: 0, died: 0 }
  answer: Answer = 'done'
  process: Bare
  readonly settings: OnboardingSettings
  readonly rules: ReadonlyMap<string, Rule>

  constructor (rules: Rule[]) {
    this.rules = new Map(rules.map((rule, index) => [`step_${index}`, rule]))
    const steps = [...[...this.rules].map(([name, rule]) => ({ step: this.step(name, rule), check })), { step: register, check: checkRegister }]
    this.settings = { steps: new Map(steps.map((prepared) => [prepared.step.name, prepared])), lifetime: LIFETIME, invalidatePrevious: true }
    this.process = this.start()
  }

  start (): Bare {
    this.store.fault = null
    return bare({ steps: this.settings, store: this.store, clock: this.clock.now })
  }

  step (name: string, rule: Rule): OnboardingStep {
    return {
      name,
      schema,
      hint: { title: name },
      ...(rule !== 'always' && {
        isRequired: ({ data }) => {
          if (rule === 'fails') throw new Error('c4n4ry')
          if (rule === 'odd') return undefined as never
          return rule === 'by_data' && Object.values(data).some(({ strict }) => strict === true)
        }
      }),
      execute: (context, { strict = false }: { strict?: boolean }): StepOutcome | undefined => {
        const data = { strict }
        switch (this.answer) {
          case 'errors': return { errors: ['no'], data }
          case 'stays': return { done: false, data }
          case 'throws': throw new Error('c4n4ry')
          case 'odd': return false as never
          case 'ends': return { errors: ['no'], end: true, data }
          default:
            this.executed.set(context.sessionId, (this.executed.get(context.sessionId) ?? new Set()).add(name))
            return { data }
        }
      }
    }
  }

  /** Does what a command says; what the answers say must be so. */
  async run (command: Command): Promise<void> {
    const { kind, address, jump, fault, restart } = command
    if (kind === 'jump') return this.clock.advance(jump * 1000)
    this.answer = command.answer
    this.store.fault = fault && { ...fault }
    const { onboarding } = this.process.accounts
    if (kind === 'start') {
      await this.settle(onboarding.start({ email: address }).then((answer) => {
        const { event: { sessionId } = {} } = this.process.events.findLast(({ name }) => name === 'onboarding_started') ?? {}
        for (const other of this.sessions) if (other.address === address) other.newer = true
        this.sessions.push({ token: answer.session, address, id: String(sessionId), newer: false, expiresAt: this.clock.now() + LIFETIME * 1000 })
      }))
    } else {
      const seen = this.sessions.at(-1 - command.session)
      if (seen !== undefined) await Promise.all(Array.from({ length: kind === 'twice' ? 3 : 1 }, async () => await this.settle(this.call(command, seen).then((answer) => this.look(seen, answer)))))
    }
    // A process that died does nothing more: another goes on.
    if (this.store.fault !== null && (this.store.fault.after < 0 || restart)) this.process = this.start()
    this.store.fault = null
  }

  async call ({ kind, strict }: Command, { token }: Seen): Promise<OnboardingAnswer> {
    const { onboarding } = this.process.accounts
    if (kind === 'resume') return await onboarding.resume(token)
    if (kind === 'skip') return await onboarding.skip(token)
    const due = await onboarding.resume(token)
    return await onboarding.advance(token, due.current_step === 'register' ? { password } : { strict })
  }

  look ({ id, newer, expiresAt }: Seen, answer: OnboardingAnswer): void {
    if (newer) throw new Error('a session went on that a newer one had ended')
    if (expiresAt <= this.clock.now()) throw new Error('a session went on after its time')
    if (answer.status !== 'complete') return
    this.ends.complete++
    if (!('access_token' in answer)) throw new Error('complete, without tokens')
    this.tokens.push(answer.access_token)
    const executed = this.executed.get(id) ?? new Set()
    if (answer.completed_steps.at(-1) !== 'register') throw new Error('nobody has registered')
    for (const [name, rule] of this.rules) {
      const done = executed.has(name) && answer.completed_steps.includes(name)
      const mayLack = answer.skipped_steps.includes(name) && (rule === 'never' || rule === 'by_data')
      if (!done && !mayLack) throw new Error(`complete without ${name}, which is ${rule}`)
      if (!done) this.ends.skipped++
    }
  }

  /** Refusals, and deaths, are no harm; anything else is. */
  async settle (work: Promise<unknown>): Promise<void> {
    try {
      await work
    } catch (error) {
      if (error instanceof AuthError) this.ends.refused++
      else if (/the process died|c4n4ry|must answer with/.test((error as Error).message)) this.ends.died++
      else throw error
    }
  }

  /** When all is over: what is stored of each session bears out what was said, and nobody is signed in twice by one. */
  async check (): Promise<void> {
    this.process = this.start()
    const users = (await this.store.users.list({ limit: 100 })).items
    const live = await Promise.all(users.map(async ({ id }) => (await this.store.sessions.listLive(id, this.clock.now(), { limit: 100 })).items.length))
    // One that died between the tokens and their answer leaves a session whose tokens nobody has.
    if (live.reduce((sum, count) => sum + count, 0) < this.tokens.length) throw new Error('tokens without a session')
    if (new Set(this.tokens).size !== this.tokens.length) throw new Error('the same tokens twice')
    const completed = this.process.events.filter(({ name }) => name === 'onboarding_completed').length
    if (completed > this.ends.complete) throw new Error('more flows are complete than were answered')
  }
}

t.test('no sequence of calls, crashes and clock jumps completes a flow in which a required step is missing', async (t) => {
  const total = { complete: 0, skipped: 0, refused: 0, died: 0 }
  await campaign(t, 3_000, fc.asyncProperty(rules, fc.array(command, { minLength: 5, maxLength: 40 }), async (rules, commands) => {
    const world = new World(rules)
    await world.run({ ...commands[0] as Command, kind: 'start', fault: null })
    for (const command of commands) await world.run(command)
    await world.check()
    for (const name of Object.keys(total) as Array<keyof typeof total>) total[name] += world.ends[name]
  }))
  t.comment(JSON.stringify(total))
  t.ok(total.complete > 200 && total.skipped > 50 && total.refused > 1000 && total.died > 1000, 'all of it happened')
})
