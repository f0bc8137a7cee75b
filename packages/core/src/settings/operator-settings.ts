import { ConfigurationError } from '../errors/configuration-error.ts';
import { checkCredential, checkObject } from './checked-values.ts';
import {
  CONNECTION_OPTION_NAMES,
  type ConnectionOptions,
  type ConnectionSettings,
  resolveConnection,
} from './connection-settings.ts';
import { type Environment, nameOption, originOf, readOption } from './environment.ts';
import { checkOptionNames, knownOptions } from './known-options.ts';

export interface OperatorClientOptions extends ConnectionOptions {
  /**
   * The operator key (`ADMIN_TOKEN` in production) or an org key; `null` sends none, which only a platform in dev
   * mode on this machine accepts. Environment: `MOLECULE_OPERATOR_KEY`, `ADMIN_TOKEN`.
   */
  operatorKey?: string | null | undefined;
}

const OPERATOR_OPTIONS = knownOptions<OperatorClientOptions>({
  ...CONNECTION_OPTION_NAMES,
  operatorKey: true,
});

/** Validated {@link OperatorClientOptions} with all defaults applied; frozen. */
export interface OperatorSettings extends ConnectionSettings {
  readonly operatorKey: string | null;
  /** Where the key was set, for errors; `null` where it was not. */
  readonly keyOrigin: string | null;
}

/** @throws ConfigurationError naming the option and its environment variables. */
export function resolveOperatorSettings(options: OperatorClientOptions, env: Environment): OperatorSettings {
  checkObject('options', options, 'Pass an object, such as { platformUrl, operatorKey }.');
  checkOptionNames('OperatorClient', options, OPERATOR_OPTIONS);
  const connection = resolveConnection(options, env);
  if (options.operatorKey === null)
    return Object.freeze({ ...connection, operatorKey: null, keyOrigin: null });
  const operatorKey = checkCredential(readOption('operatorKey', options.operatorKey, env), 'operatorKey');
  if (operatorKey === undefined) {
    throw new ConfigurationError(`${nameOption('operatorKey')} is missing.`, {
      hint: 'Pass operatorKey: null for a platform in dev mode on this machine.',
    });
  }
  const keyOrigin = originOf('operatorKey', options.operatorKey, env);
  return Object.freeze({ ...connection, operatorKey, keyOrigin });
}
