import t from 'tap'
import { createLaterTasks } from '../../lib/flow/later.js'

/** A list of what was reported, and the tasks that report to it. */
function tasks (patience?: number) {
  const reported: unknown[] = []
  return { reported, later: createLaterTasks((error) => { reported.push(error) }, patience) }
}

const turn = async (): Promise<void> => await new Promise((resolve) => { setImmediate(resolve) })

t.test('a task begins in a later turn, when all that was ready has run', async (t) => {
  const { later } = tasks()
  const steps: string[] = []
  later.run(async () => { steps.push('task') })
  steps.push('caller')
  await Promise.resolve()
  await new Promise((resolve) => { process.nextTick(resolve) })
  steps.push('microtasks')
  await later.settled()
  t.strictSame(steps, ['caller', 'microtasks', 'task'])
})

t.test('tasks begin in the order they came, and none waits for another to end', async (t) => {
  const { later } = tasks()
  const steps: string[] = []
  let release = (): void => {}
  const released = new Promise<void>((resolve) => { release = resolve })
  later.run(async () => {
    steps.push('first begins')
    await released
    steps.push('first ends')
  })
  later.run(async () => {
    steps.push('second')
    release()
  })
  await later.settled()
  t.strictSame(steps, ['first begins', 'second', 'first ends'])
})

t.test('settled waits for everything, also for what a task has started meanwhile', async (t) => {
  const { later } = tasks()
  const steps: string[] = []
  later.run(async () => {
    await turn()
    later.run(async () => {
      await turn()
      steps.push('inner')
    })
    steps.push('outer')
  })
  await later.settled()
  t.strictSame(steps, ['outer', 'inner'])
  await later.settled()
  t.pass('and for nothing, where there is nothing')
})

t.test('a task that fails is reported with what it threw, and stops no other', async (t) => {
  const { later, reported } = tasks()
  const steps: string[] = []
  const thrown = [new Error('boom'), null, undefined, 'boom', { statusCode: 200 }]
  for (const value of thrown) {
    later.run(async () => { throw value })
    later.run(() => { throw value })
  }
  later.run(async () => { steps.push('last') })
  await later.settled()
  t.equal(reported.length, 2 * thrown.length)
  for (const [index, value] of thrown.entries()) t.ok(reported[2 * index] === value && reported[2 * index + 1] === value)
  t.strictSame(steps, ['last'])
})

t.test('a task that never ends keeps nobody waiting for ever, and is reported', async (t) => {
  const { later, reported } = tasks(20)
  later.run(() => new Promise(() => {}))
  later.run(async () => {})
  await later.settled()
  t.match(reported, [{ message: '1 tasks did not end within 20 ms; they are left behind' }])
})
