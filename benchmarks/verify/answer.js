/** How long an answer is, head included; undefined while nobody can tell. */
export function answerLength (text) {
  const head = text.indexOf('\r\n\r\n')
  if (head === -1) return undefined
  const match = /\r\ncontent-length: *(\d+)/i.exec(text)
  if (match !== null && match.index < head) return head + 4 + Number(match[1])
  const end = text.indexOf('\r\n0\r\n\r\n', head)
  return end === -1 ? undefined : end + 7
}
