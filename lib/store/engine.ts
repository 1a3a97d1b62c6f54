import { ConfigurationError } from '../errors/operation.js'

/**
 * Loads a package that only some applications have. Throws
 * {@link ConfigurationError}, which says what to install, when it is not there.
 */
export async function loadEngine<Module> (load: () => Promise<Module>, install: string): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException | undefined)?.code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new ConfigurationError({ option: 'store', cause, message: `This store needs a package that is not installed: npm install ${install}` })
  }
}
