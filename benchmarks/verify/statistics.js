/** The quartiles of some numbers, by linear interpolation. */
export function quartiles (numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const at = (share) => {
    const place = (sorted.length - 1) * share
    const low = Math.floor(place)
    return sorted[low] + ((sorted[low + 1] ?? sorted[low]) - sorted[low]) * (place - low)
  }
  return { q1: at(0.25), median: at(0.5), q3: at(0.75) }
}

/** Quartiles of the ratios of two rows, round by round: what disturbs a round disturbs both. */
export function ratios (rows, base) {
  return quartiles(rows.map((value, round) => value / base[round]))
}

/** What a straight line through some points rises by, per unit of x. */
export function slope (points) {
  const mean = (axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  return points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
}
