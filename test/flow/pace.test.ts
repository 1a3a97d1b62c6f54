import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { atLeast } from '../../lib/flow/pace.js'

t.test('what is done sooner is told later, whatever it came to', async (t) => {
  const order: unknown[] = []
  const told = (what: unknown): void => { order.push(what) }
  await Promise.all([
    atLeast(50, Promise.resolve('found')).then(told),
    atLeast(50, Promise.reject(new Error('away'))).catch((error: Error) => told(error.message)),
    sleep(1, 'sooner').then(told)
  ])
  t.strictSame(order, ['sooner', 'found', 'away'])
})

t.test('what takes longer is waited for', async (t) => {
  t.equal(await atLeast(1, sleep(20, 'slow')), 'slow')
})
