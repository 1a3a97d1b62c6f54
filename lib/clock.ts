/** Milliseconds since 1970, and the only place that asks for them. */
export type Clock = () => number

export const systemClock: Clock = () => Date.now()
