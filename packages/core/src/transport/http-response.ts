import type { Bytes } from '../settings/node-types.ts';

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Bytes;
  /** Whether the body exceeded the limit; then only its beginning was kept. */
  readonly isTooLarge: boolean;
}

/** Parsed JSON, or what the body is instead. */
export type ReadBody =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'empty' | 'html' | 'other' };

/** Parses a body as JSON, whatever its content type. Never throws. */
export function readBody(response: HttpResponse, text: string = response.body.toString('utf8')): ReadBody {
  if (text === '') return { kind: 'empty' };
  try {
    return { kind: 'json', value: JSON.parse(text) as unknown };
  } catch {
    const start = text.slice(0, 200).trimStart();
    if (start === '') return { kind: 'empty' };
    return { kind: start.startsWith('<') ? 'html' : 'other' };
  }
}

/** The first 4 KiB of the body as text. */
export function excerptOf(response: HttpResponse): string {
  return response.body.toString('utf8', 0, Math.min(response.body.length, 4096));
}

/** Returns the first value of a header. */
export function headerOf(response: Pick<HttpResponse, 'headers'>, name: string): string | undefined {
  const value = response.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

/** Returns the value if it is a JSON object, otherwise `undefined`. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

/** Returns the value if it is a string that is not empty, otherwise `undefined`. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
