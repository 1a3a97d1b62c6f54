import fc from 'fast-check'
import t from 'tap'
import { AuthUnavailableError } from '../../lib/errors.js'
import { createQueue } from '../../lib/password/queue.js'
import { campaign } from '../fuzz/campaign.js'

/** Tasks that end when they are told to. */
function tasks () {
  const started: number[] = []
  const ends = new Map<number, (fail: boolean) => void>()
  const task = (id: number) => () => new Promise<number>((resolve, reject) => {
    started.push(id)
    ends.set(id, (fail) => {
      ends.delete(id)
      if (fail) reject(new Error(`task ${id}`))
      else resolve(id)
    })
  })
  return { started, ends, task }
}

const settled = () => new Promise((resolve) => { setImmediate(resolve) })

t.test('tasks run a few at a time, in the order they came', async (t) => {
  const { started, ends, task } = tasks()
  const queue = createQueue({ concurrency: 2, limit: 2 })
  const results = [0, 1, 2, 3].map((id) => queue.run(task(id)))
  await settled()
  t.strictSame(started, [0, 1])
  ends.get(1)?.(false)
  t.equal(await results[1], 1)
  await settled()
  t.strictSame(started, [0, 1, 2])
  for (const id of [0, 2]) ends.get(id)?.(false)
  await settled()
  ends.get(3)?.(false)
  t.strictSame(await Promise.all(results), [0, 1, 2, 3])
})

t.test('who comes to a full queue is sent away at once', async (t) => {
  const { started, ends, task } = tasks()
  const queue = createQueue({ concurrency: 1, limit: 1 })
  const [first, second] = [queue.run(task(0)), queue.run(task(1))]
  const error = await queue.run(task(2)).catch((error: unknown) => error)
  t.ok(error instanceof AuthUnavailableError)
  t.match(error, { statusCode: 503, dependency: 'password hashing', retryAfter: 5, headers: { 'retry-after': '5' } })
  t.strictSame(started, [0], 'and started nothing')
  ends.get(0)?.(false)
  await first
  await settled()
  const third = queue.run(task(3))
  ends.get(1)?.(false)
  await second
  await settled()
  ends.get(3)?.(false)
  t.equal(await third, 3, 'there is room again')
})

t.test('a task that fails leaves its place', async (t) => {
  const queue = createQueue({ concurrency: 1, limit: 5 })
  await t.rejects(queue.run(async () => { throw new Error('later') }), { message: 'later' })
  await t.rejects(queue.run(() => { throw new Error('at once') }), { message: 'at once' })
  const results = await Promise.allSettled([queue.run(async () => { throw new Error('waited for') }), queue.run(async () => 'next')])
  t.match(results, [{ status: 'rejected' }, { status: 'fulfilled', value: 'next' }])
})

t.test('nobody comes in between two tasks when one hands over to the other', async (t) => {
  const queue = createQueue({ concurrency: 1, limit: 5 })
  let running = 0
  const task = async () => {
    t.equal(++running, 1)
    await settled()
    running--
  }
  const first = queue.run(task)
  const second = queue.run(task)
  await Promise.all([first.then(() => queue.run(task)), second, queue.run(task)])
})

t.test('whatever comes and goes, the bounds hold', async (t) => {
  const actions = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant('come' as const) }, { weight: 2, arbitrary: fc.record({ end: fc.nat(), fail: fc.boolean() }) }), { maxLength: 60 })
  await campaign(t, 150, fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 5 }), actions, async (concurrency, limit, steps) => {
    const { started, ends, task } = tasks()
    const queue = createQueue({ concurrency, limit })
    const order: number[] = []
    const expected = { running: 0, waiting: 0 }
    let id = 0
    for (const step of steps) {
      if (step === 'come') {
        const full = expected.running === concurrency && expected.waiting === limit
        const mine = id++
        let refused = false
        queue.run(task(mine)).catch((error: unknown) => { refused = error instanceof AuthUnavailableError })
        await settled()
        if (refused !== full) return false
        if (!full) order.push(mine)
        if (!full) expected.running === concurrency ? expected.waiting++ : expected.running++
      } else if (ends.size > 0) {
        ends.get([...ends.keys()][step.end % ends.size] as number)?.(step.fail)
        await settled()
        expected.waiting > 0 ? expected.waiting-- : expected.running--
      }
      if (ends.size !== expected.running || started.some((one, index) => one !== order[index])) return false
    }
    return true
  }))
})
