/** Listens on a free port of loopback, and tells which. */
export async function listenFastify (app) {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: app.server.address().port, close: async () => { await app.close() } }
}

/** The same for a plain server of `node:http`. */
export async function listenHttp (server) {
  if (!server.listening) await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return {
    port: server.address().port,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => { server.close(resolve) })
    }
  }
}
