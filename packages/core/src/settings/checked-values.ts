import { ConfigurationError } from '../errors/configuration-error.ts';
import { type EnvironmentOption, nameOption } from './environment.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEADER_VALUE = /^[\x20-\x7e]+$/;

/** A workspace id in lower case; anything but a UUID is refused, because it becomes part of paths. */
export function checkWorkspaceId(value: string | undefined): string {
  const text = value?.trim();
  if (!text)
    throw new ConfigurationError(`${nameOption('workspaceId')} is missing.`, {
      hint: 'Set it to the id that POST /workspaces answered.',
    });
  if (!UUID.test(text)) {
    throw new ConfigurationError(`${nameOption('workspaceId')} must be a UUID, got ${show(text)}.`);
  }
  return text.toLowerCase();
}

/** A platform's base address without trailing slashes, query or fragment; credentials in it are refused. */
export function checkPlatformUrl(value: string | undefined): URL {
  const text = value?.trim();
  if (!text)
    throw new ConfigurationError(`${nameOption('platformUrl')} is missing.`, {
      hint: 'For example http://localhost:8080.',
    });
  return checkHttpUrl(text, 'platformUrl');
}

/** An http(s) URL without user info. */
export function checkHttpUrl(text: string, option: EnvironmentOption): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new ConfigurationError(`${nameOption(option)} must be an http or https URL, got ${show(text)}.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigurationError(`${nameOption(option)} must not contain a user name or password.`, {
      hint: 'Pass the workspace token as authToken, never inside a URL.',
    });
  }
  return url;
}

/** A text that can stand in a header: visible ASCII, so that no line break can forge another header. */
export function checkHeaderValue(value: string | undefined, option: EnvironmentOption): string | undefined {
  const text = value?.trim();
  if (!text) return undefined;
  if (!HEADER_VALUE.test(text)) {
    throw new ConfigurationError(`${nameOption(option)} must be printable ASCII without line breaks.`);
  }
  return text;
}

/** A number of milliseconds or a count within bounds. */
export function checkNumber(
  value: number | undefined,
  fallback: number,
  option: string,
  bounds: { min: number; max: number; isInteger?: boolean },
): number {
  if (value === undefined) return fallback;
  const isInside = value >= bounds.min && value <= bounds.max;
  if (!isInside || (bounds.isInteger === true && !Number.isInteger(value))) {
    throw new ConfigurationError(
      `${option} must be ${bounds.isInteger === true ? 'an integer' : 'a number'} from ${bounds.min} to ${bounds.max}, got ${value}.`,
    );
  }
  return value;
}

function show(text: string): string {
  return JSON.stringify(text.replace(/\/\/[^/@]*@/, '//…@').slice(0, 80));
}
