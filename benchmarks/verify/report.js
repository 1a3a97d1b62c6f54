import { quartiles, ratios } from './statistics.js'
import { FASTIFY, JWT, OURS } from './subjects.js'

/** A number with so many digits after the point. */
export const number = (value, digits = 1) => value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })

/** A median with its quartiles. */
export const spread = ({ q1, median, q3 }, digits) => `${number(median, digits)} [${number(q1, digits)}-${number(q3, digits)}]`

const mebibytes = (bytes) => `${number(bytes / 1024 / 1024)} MiB`

/** A table in Markdown, which is readable as it stands. */
export function table (head, rows) {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column].length)))
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join('\n')
}

const cpu = (subject) => subject.rounds.map((round) => round.cpuPerRequest)
const named = (subjects, name) => subjects.find((subject) => subject.name === name)

/** One group: each subject with its CPU time, its rate and its ratio to the base, and how noisy the rounds were. */
export function requestsTable ({ title, base, subjects }) {
  const reference = named(subjects, base)
  const floor = named(subjects, FASTIFY)
  const noise = quartiles(cpu(floor))
  const rows = subjects.map((subject) => [
    subject.name,
    spread(quartiles(cpu(subject))),
    spread(quartiles(subject.rounds.map((round) => round.requestsPerSecond)), 0),
    spread(ratios(cpu(subject), cpu(reference)), 2),
    spread(ratios(cpu(subject), cpu(floor)), 2),
    statuses(subject.answers)
  ])
  return [
    `## ${title}`,
    '',
    table(['', 'CPU us per request', 'requests per second', `times ${base}`, 'times Fastify', 'answers'], rows),
    '',
    `Noise: the middle half of Fastify's own rounds lies within ${number((noise.q3 - noise.q1) / noise.median * 100)} % of its median.`
  ].join('\n')
}

function statuses (answers) {
  const kinds = {}
  for (const answer of Object.keys(answers)) (kinds[answer.slice(-3)] ??= []).push(answer.slice(0, -4))
  const [only, ...more] = Object.keys(kinds)
  return more.length === 0 ? only : Object.entries(kinds).map(([status, names]) => `${status}: ${names.join(', ')}`).join('; ')
}

/** The goals that the measured groups can tell about. */
export function requestGoals (results) {
  const goals = []
  const compare = (id, figure, group, name, base, limit) => {
    const subject = results[group] && named(results[group].subjects, name)
    const reference = results[group] && named(results[group].subjects, base)
    if (subject && reference) goals.push({ id, figure, goal: limit, ratio: ratios(cpu(subject), cpu(reference)) })
  }
  compare('P1', 'accepted, HS256, to @fastify/jwt', 'accepted', OURS, JWT, 1)
  compare('P1', 'accepted, ES256, to @fastify/jwt', 'es256', OURS, JWT, 1)
  compare('P2', 'accepted from the cache, to Fastify without authentication', 'accepted', `${OURS}, cache`, FASTIFY, 1.25)
  compare('P3', 'refused, to @fastify/jwt', 'refused', OURS, JWT, 0.5)
  compare('P4', 'refused, to accepting here', 'refused', OURS, `${OURS}, accepting`, 1.1)
  compare('P5', 'role refused, to accepting here', 'refused', `${OURS}, role refused`, `${OURS}, accepting`, 1.1)
  compare('', 'securityContext, accepted, on to off', 'accepted', OURS, `${OURS}, securityContext: false`)
  compare('', 'securityContext, from the cache, on to off', 'accepted', `${OURS}, cache`, `${OURS}, cache, securityContext: false`)
  compare('', 'securityContext, refused, on to off', 'refused', OURS, `${OURS}, securityContext: false`)
  return goals
}

/** All goals in one table. A goal between the quartiles is a draw, whichever side the median lies on. */
export function goalsTable (goals) {
  return table(['', 'figure', 'measured', 'goal', ''], goals.map(({ id, figure, goal, ratio, text, met }) => [
    id,
    figure,
    text ?? `${spread(ratio, 2)} x`,
    goal === undefined ? '' : typeof goal === 'string' ? goal : `at most ${number(goal, 2)} x`,
    goal === undefined ? '' : verdict(ratio, goal, met)
  ]))
}

function verdict (ratio, goal, met = ratio.median <= goal) {
  const close = ratio !== undefined && ratio.q1 <= goal && goal <= ratio.q3
  return (met ? 'met' : 'MISSED') + (close ? ', within the noise' : '')
}

/** P9 in milliseconds of CPU time, phase by phase. */
export function startTable ({ routes, summary }) {
  const rows = Object.entries(summary).map(([phase, { without, with: withPlugin, ratio }]) => [phase, spread(without), spread(withPlugin), spread(ratio, 2)])
  return `## Start with ${number(routes, 0)} guarded routes and @fastify/swagger\n\n${table(['phase', 'without, CPU ms', 'with, CPU ms', 'times'], rows)}`
}

export const startGoal = ({ summary }) => ({ id: 'P9', figure: 'start up to ready(), 1,000 guarded routes, to the same without', goal: 1.5, ratio: summary.ready.ratio })

/** P10: what is held after collecting garbage, in the course of the run. */
export function memoryTable (runs) {
  return runs.map(({ name, requests, samples, rise }) => {
    const shown = samples.filter((_, index) => index === 0 || (index + 1) % 5 === 0)
    const rows = shown.map((sample) => [number(sample.requests, 0), mebibytes(sample.heapUsed), mebibytes(sample.external), mebibytes(sample.rss)])
    return `## Memory, ${name}\n\n${table(['refused', 'heap used', 'external', 'resident'], rows)}\n\nOver ${number(requests, 0)} requests the last three quarters rise by ${mebibytes(rise.heapUsed)} of heap, ${mebibytes(rise.rss)} resident.`
  }).join('\n\n')
}

export const memoryGoals = (runs) => runs.map(({ name, rise, flat }) => ({ id: 'P10', figure: `memory, ${name}`, goal: 'flat', text: `${rise.heapUsed < 0 ? '' : '+'}${mebibytes(rise.heapUsed)} of heap`, met: flat }))
