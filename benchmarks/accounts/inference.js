import { quartiles } from '../verify/statistics.js'

const median = (numbers) => quartiles(numbers).median
const RESAMPLES = 2000

/** Numbers in random order. */
export function shuffled (items) {
  const list = [...items]
  for (let place = list.length - 1; place > 0; place--) {
    const other = Math.floor(Math.random() * (place + 1))
    ;[list[place], list[other]] = [list[other], list[place]]
  }
  return list
}

/**
 * What pairs of times tell: the median of each side, the median difference with
 * its 95 % interval (percentile bootstrap over the pairs), and how often chance
 * alone would divide the signs so unevenly (two-sided sign test).
 */
export function comparePairs (pairs) {
  const differences = pairs.map(([first, second]) => second - first)
  const resampled = Array.from({ length: RESAMPLES }, () => median(differences.map(() => differences[Math.floor(Math.random() * differences.length)])))
  resampled.sort((a, b) => a - b)
  return {
    pairs: pairs.length,
    medians: [median(pairs.map(([first]) => first)), median(pairs.map(([, second]) => second))],
    difference: median(differences),
    interval: [resampled[Math.floor(RESAMPLES * 0.025)], resampled[Math.ceil(RESAMPLES * 0.975) - 1]],
    chance: signTest(differences)
  }
}

/** The two-sided sign test, exact. Ties count for neither side. */
export function signTest (differences) {
  const above = differences.filter((difference) => difference > 0).length
  const total = above + differences.filter((difference) => difference < 0).length
  const fewer = Math.min(above, total - above)
  let logarithm = -total * Math.LN2
  let tail = 0
  for (let count = 0; count <= fewer; count++) {
    tail += Math.exp(logarithm)
    logarithm += Math.log(total - count) - Math.log(count + 1)
  }
  return Math.min(1, 2 * tail)
}

/**
 * Whether a difference was found. `none`: its interval lies within those of the
 * controls, where there is none. `unlikely`: it lies partly outside, but chance
 * explains the signs. `found`: chance does not, allowing for how many are looked at.
 */
export function judge (comparison, controls, looks) {
  const [low, high] = hull(controls)
  if (comparison.chance < 0.05 / looks) return 'found'
  return comparison.interval[0] >= low && comparison.interval[1] <= high ? 'none' : 'unlikely'
}

/** What the intervals of the controls cover together. */
export function hull (controls) {
  return [Math.min(...controls.map(({ interval }) => interval[0])), Math.max(...controls.map(({ interval }) => interval[1]))]
}
