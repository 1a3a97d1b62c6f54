/** Milliseconds since 1970, and the only place that asks for them. */
export type Clock = () => number

/** Milliseconds since the process started: for waiting times, which a change of the system's clock must not stretch. */
export const monotonicClock: Clock = () => performance.now()

export const systemClock: Clock = () => Date.now()
