import type { HttpResponse } from './http-exchange.ts';

/** A body, read: parsed JSON, or the reason why it is none. */
export type ReadBody =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'empty' | 'html' | 'other' };

/** Reads a body as JSON, whatever its content type claims. Never throws. */
export function readBody(response: HttpResponse): ReadBody {
  if (response.body.length === 0) return { kind: 'empty' };
  const text = response.body.toString('utf8');
  try {
    return { kind: 'json', value: JSON.parse(text) as unknown };
  } catch {
    const start = text.slice(0, 200).trimStart();
    if (start === '') return { kind: 'empty' };
    return { kind: start.startsWith('<') ? 'html' : 'other' };
  }
}

/** The body as text, up to a length that is enough for an excerpt. */
export function excerptOf(response: HttpResponse): string {
  return response.body.toString('utf8', 0, Math.min(response.body.length, 4096));
}

/** One header as text; of a repeated one the first. */
export function headerOf(
  response: { readonly headers: HttpResponse['headers'] },
  name: string,
): string | undefined {
  const value = response.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

/** A JSON object's entries, or `undefined` for any other value. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

/** A text, or `undefined` for any other value. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
