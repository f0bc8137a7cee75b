import { ERROR_BRAND, MoleculeError } from './molecule-error.ts';

/** A setting is missing or invalid. The message names the option and the environment variable. */
export class ConfigurationError extends MoleculeError {
  static override readonly [ERROR_BRAND]: string = 'ConfigurationError';
  override readonly name = 'ConfigurationError';

  constructor(message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, { ...options, code: 'configuration_invalid' });
  }
}
