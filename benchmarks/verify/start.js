import { quartiles, ratios } from './statistics.js'
import { SERVER_CORE, start } from './process.js'

/** P9: measures the start of an application with guarded routes, with and without this plugin, in turns and in fresh processes. */
export async function measureStart ({ keys, build, rounds, routes, say }) {
  const rows = { without: [], with: [] }
  for (let round = -1; round < rounds; round++) {
    say(round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`)
    const order = round % 2 === 0 ? ['with', 'without'] : ['without', 'with']
    for (const variant of order) {
      const child = start('start-child.js', SERVER_CORE)
      try {
        const row = await child.ask('start', { build, key: keys.HS256, routes, guarded: variant === 'with' })
        if (round >= 0) rows[variant].push(row)
      } finally {
        await child.stop()
      }
    }
  }
  const phases = Object.keys(rows.with[0])
  const summary = Object.fromEntries(phases.map((phase) => {
    const of = (variant) => rows[variant].map((row) => row[phase].cpu)
    return [phase, { without: quartiles(of('without')), with: quartiles(of('with')), ratio: ratios(of('with'), of('without')) }]
  }))
  return { routes, rows, summary }
}
