/** The same response, read to its end. Throws when the body is larger than `maxBytes`, without reading further. */
export async function readLimited (response: Response, maxBytes: number): Promise<Response> {
  const body = await readBytes(response, maxBytes)
  return new Response(response.status === 200 ? body : null, { status: response.status || 500 })
}

/** The body of a response. Throws when it is larger than `maxBytes`, without reading further. */
export async function readBytes ({ body }: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.byteLength
    // Leaving the loop cancels the stream, and with it the download.
    if (length > maxBytes) throw new Error(`The response is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
