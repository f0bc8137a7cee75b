import { ConfigurationError } from '../errors/configuration-error.ts';
import { type EnvironmentOption, nameOption } from './environment.ts';

const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEADER_VALUE = /^[\x20-\x7e]+$/;

/** Returns the id in lower case. Only UUIDs are accepted, because the id becomes part of paths. */
export function checkWorkspaceId(value: string | undefined): string {
  const text = value?.trim();
  if (!text)
    throw new ConfigurationError(`${nameOption('workspaceId')} is missing.`, {
      hint: 'Set it to the id that POST /workspaces returned.',
    });
  if (!UUID.test(text)) {
    throw new ConfigurationError(`${nameOption('workspaceId')} must be a UUID, got ${show(text)}.`, {
      hint: 'Set it to the id that POST /workspaces returned, not to the name of the workspace.',
    });
  }
  return text.toLowerCase();
}

export function checkPlatformUrl(value: string | undefined): URL {
  const text = value?.trim();
  if (!text)
    throw new ConfigurationError(`${nameOption('platformUrl')} is missing.`, {
      hint: 'For example http://localhost:8080.',
    });
  return checkHttpUrl(text, 'platformUrl');
}

/** Accepts http and https URLs without user info. */
export function checkHttpUrl(text: string, option: EnvironmentOption): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new ConfigurationError(`${nameOption(option)} must be an http or https URL, got ${show(text)}.`, {
      hint: text.includes('://')
        ? 'For example http://localhost:8080.'
        : 'Add the scheme, for example http://localhost:8080.',
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigurationError(`${nameOption(option)} must not contain a user name or password.`, {
      hint: 'Pass the workspace token as authToken, never inside a URL.',
    });
  }
  return url;
}

/** Accepts printable ASCII only, so that a line break cannot add another header. */
export function checkHeaderValue(value: string | undefined, option: EnvironmentOption): string | undefined {
  const text = value?.trim();
  if (!text) return undefined;
  if (!HEADER_VALUE.test(text)) {
    throw new ConfigurationError(`${nameOption(option)} must be printable ASCII without line breaks.`);
  }
  return text;
}

export interface NumberBounds {
  readonly min: number;
  /** @default 2^31 - 1, the maximum delay of a timer in milliseconds */
  readonly max?: number;
  /** @default false */
  readonly isInteger?: boolean;
}

/** Returns an error message that names the number, or `null` if it is within the bounds. */
export function numberProblem(name: string, value: number, bounds: NumberBounds): string | null {
  const { min, max = MAX_TIMEOUT_MS, isInteger = false } = bounds;
  const isInside = typeof value === 'number' && value >= min && value <= max;
  if (isInside && (!isInteger || Number.isInteger(value))) return null;
  return `${name} must be ${isInteger ? 'an integer' : 'a number'} from ${min} to ${max}, got ${typeof value === 'string' ? show(value) : String(value)}.`;
}

/**
 * Returns the number if it is within the bounds.
 * @throws ConfigurationError naming the option.
 */
export function checkNumber(option: string, value: number, bounds: NumberBounds): number {
  const problem = numberProblem(option, value, bounds);
  if (problem !== null) throw new ConfigurationError(problem);
  return value;
}

function show(text: string): string {
  return JSON.stringify(text.replace(/\/\/[^/@]*@/, '//…@').slice(0, 80));
}
