import { ConfigurationError } from '../errors/operation.js'

/** What a package is needed for: the option that asks for it, and how a message calls it. */
export interface EngineUse {
  option: string
  user: string
}

const STORE: EngineUse = { option: 'store', user: 'This store' }

/**
 * Loads a package that only some applications have. Throws
 * {@link ConfigurationError}, which says what to install, when it is not there.
 */
export async function loadEngine<Module> (load: () => Promise<Module>, install: string, { option, user }: EngineUse = STORE): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException | undefined)?.code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new ConfigurationError({ option, cause, message: `${user} needs a package that is not installed: npm install ${install}` })
  }
}
