/** What a promise is rejected with; fails where it is not. */
export async function rejection<Kind = Error> (promise: Promise<unknown>): Promise<Kind> {
  let answer: unknown
  try {
    answer = await promise
  } catch (error) {
    return error as Kind
  }
  throw new Error(`it was not rejected, and answered ${JSON.stringify(answer)}`)
}
