import { goalsTable, number, spread, table } from '../verify/report.js'
import { quartiles, ratios } from '../verify/statistics.js'
import { BETTER_AUTH } from './refresh.js'
import { FLOOR, UNCHECKED } from './revocation.js'

export { goalsTable }

const signed = (value, digits = 0) => `${value < 0 ? '' : '+'}${number(value, digits)}`
const range = ([low, high]) => `${signed(low)} to ${signed(high)}`

/** P6: each kind with its time, and how many times the hash that was measured beside it. */
export function loginTable ({ rows }) {
  const { hash, right, wrong } = rows
  const cells = [['the hash alone', hash], ['login, right password', right], ['login, wrong password', wrong]]
  return `## Login, default hash, one at a time\n\n${table(['', 'ms', 'times the hash'], cells.map(([name, row]) => [name, spread(quartiles(row), 2), spread(ratios(row, hash), 3)]))}`
}

export function loginGoals ({ rows: { hash, right, wrong } }) {
  return [
    { id: 'P6', figure: 'login, to the hash alone', goal: 1.05, ratio: ratios(right, hash) },
    { id: 'P6', figure: 'login with a wrong password, to the right one', ratio: ratios(wrong, right) }
  ]
}

/** P7: the guarded route without and with logins under way, for each way to share the cores. */
export function idleTable (runs) {
  const rows = runs.flatMap(({ name, idle, busy, logins }) => [
    [name, 'idle', ...idleCells(idle), ''],
    ['', `50 logins in flight (${logins} done)`, ...idleCells(busy), `${number(busy.p99 / idle.p99, 2)} x`]
  ])
  return `## A guarded route while logins are under way\n\n${table(['', '', 'median, ms', 'p99, ms', 'p99 of rounds', 'longest, ms', 'loop delay p99, ms', 'loop delay max, ms', 'p99 to idle'], rows)}`
}

function idleCells ({ median, p99, p99OfRounds, longest, delay }) {
  return [number(median, 2), number(p99, 2), spread(quartiles(p99OfRounds), 2), number(longest, 1), number(delay.p99, 1), number(delay.max, 1)]
}

export function idleGoals ([{ name, idle, busy }]) {
  const ratio = { q1: busy.p99 / idle.p99, median: busy.p99 / idle.p99, q3: busy.p99 / idle.p99 }
  return [
    { id: 'P7', figure: `p99 with 50 logins in flight, to idle, ${name}`, goal: 'at most 2.00 x', text: `${number(ratio.median, 2)} x`, met: ratio.median <= 2 },
    { id: 'P7', figure: 'event loop delay meanwhile, longest', goal: 'under 50 ms', text: `${number(busy.delay.max, 1)} ms`, met: busy.delay.max < 50 }
  ]
}

const cpu = ({ rounds }) => rounds.map((round) => round.cpuPerRequest)
const rate = ({ rounds }) => rounds.map((round) => round.requestsPerSecond)
const named = (subjects, name) => subjects.find((subject) => subject.name === name)

/** P8. */
export function refreshTable (subjects) {
  const base = named(subjects, BETTER_AUTH)
  const rows = subjects.map((subject) => [
    subject.name,
    spread(quartiles(cpu(subject)), 0),
    spread(quartiles(rate(subject)), 0),
    base === undefined ? '' : spread(ratios(rate(subject), rate(base)), 2)
  ])
  return `## Refresh, 20 sessions at once\n\n${table(['', 'CPU us per refresh', 'refreshes per second', 'times better-auth'], rows)}`
}

export function refreshGoals (subjects) {
  const base = named(subjects, BETTER_AUTH)
  if (base === undefined) return []
  return subjects.slice(0, 2).filter(({ name }) => name !== BETTER_AUTH && !name.includes('not counted')).map((subject) => {
    const ratio = ratios(rate(subject), rate(base))
    return { id: 'P8', figure: `refreshes per second, ${subject.name}, to better-auth on SQLite`, goal: 'at least 5.00 x', text: `${spread(ratio, 2)} x`, met: ratio.median >= 5 }
  })
}

/** What the check of each access token against the store costs. */
export function revocationTable (subjects) {
  const [floor, base] = [FLOOR, UNCHECKED].map((name) => named(subjects, name))
  const rows = subjects.map((subject) => [
    subject.name,
    spread(quartiles(cpu(subject))),
    spread(quartiles(rate(subject)), 0),
    spread(quartiles(cpu(subject).map((value, round) => value - cpu(base)[round]))),
    spread(ratios(cpu(subject), cpu(base)), 2)
  ])
  const noise = quartiles(cpu(floor))
  return [
    '## Accepted request, and the check whether its session lives',
    '',
    table(['', 'CPU us per request', 'requests per second', `us above ${UNCHECKED}`, `times ${UNCHECKED}`], rows),
    '',
    `Noise: the middle half of Fastify's own rounds lies within ${number((noise.q3 - noise.q1) / noise.median * 100)} % of its median.`
  ].join('\n')
}

const VERDICTS = { none: 'no difference', unlikely: 'no difference shown', found: 'DIFFERENT' }

/** One family of things that must take as long as each other. */
export function timingTable ({ title, band, kinds }) {
  const rows = kinds.map(({ name, pairs, medians, difference, interval, chance, verdict }) => [
    name,
    String(pairs),
    ...medians.map((median) => number(median, 0)),
    signed(difference),
    range(interval),
    chance.toFixed(3),
    verdict === undefined ? 'control' : VERDICTS[verdict]
  ])
  return [
    `## ${title}`,
    '',
    table(['', 'pairs', 'median of the other, us', 'median, us', 'difference, us', '95 % interval, us', 'sign test', ''], rows),
    '',
    `The intervals of the controls reach from ${range(band)} us.`
  ].join('\n')
}

export function timingGoals (results) {
  return results.flatMap(({ title, band, kinds }) => kinds.filter(({ control, next }) => !control && !next).map(({ name, difference, interval, verdict }) => ({
    id: 'time',
    figure: `${title.split(',')[0]}${title.includes('default') ? ' (default hash)' : ''}: ${name}`,
    goal: `interval within ${range(band)} us`,
    text: `${signed(difference)} us [${range(interval)}]`,
    met: verdict !== 'found'
  })))
}
