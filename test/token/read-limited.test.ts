import { test } from 'tap'
import { readLimited } from '../../lib/token/read-limited.js'

/** A body of so many chunks, and how many of them were taken. */
function body (chunks: number, size: number): { stream: ReadableStream<Uint8Array>, taken: () => number, cancelled: () => boolean } {
  let taken = 0
  let cancelled = false
  const stream = new ReadableStream<Uint8Array>({
    pull (controller) {
      if (taken === chunks) return controller.close()
      taken++
      controller.enqueue(new Uint8Array(size).fill(0x20))
    },
    cancel () { cancelled = true }
  }, { highWaterMark: 0 })
  return { stream, taken: () => taken, cancelled: () => cancelled }
}

test('a body up to the limit is read whole', async (t) => {
  const response = await readLimited(new Response(body(4, 25).stream), 100)
  t.equal(response.status, 200)
  t.equal((await response.arrayBuffer()).byteLength, 100)
})

test('a body above the limit is not read further, and the download is cancelled', async (t) => {
  const { stream, taken, cancelled } = body(1000, 25)
  await t.rejects(readLimited(new Response(stream), 99), { message: 'The response is larger than 99 bytes' })
  t.equal(taken(), 4)
  t.ok(cancelled())
})

test('no body is an empty one', async (t) => {
  t.equal(await (await readLimited(new Response(null), 10)).text(), '')
})

test('the body of another status is dropped, the status is kept', async (t) => {
  for (const status of [204, 302, 304, 404, 500]) {
    const response = await readLimited(new Response(status === 404 ? 'secret' : null, { status }), 100)
    t.equal(response.status, status)
    t.equal(await response.text(), '')
  }
})

test('a response that hides its status, as browsers do with redirects, is an error', async (t) => {
  t.equal((await readLimited(Response.error(), 10)).status, 500)
})
