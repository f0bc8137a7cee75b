import type { IncomingHttpHeaders } from 'node:http';

/**
 * True when a browser page that is not ours made the request. Only credentials that a browser adds by itself
 * (the session cookie, the dev operator) need this; a bearer never does (decision 27). `null` is what browsers
 * write for a page without an origin, so it counts as foreign; free text such as `my-agent/1.0` does not.
 */
export function isForeignPage(headers: IncomingHttpHeaders, isOurs: (origin: string) => boolean): boolean {
  const origin = headers.origin;
  if (origin !== undefined && (origin === 'null' || /^https?:\/\//i.test(origin))) {
    if (!isOurs(origin.toLowerCase())) return true;
    return false;
  }
  const site = headers['sec-fetch-site'];
  return site !== undefined && site !== 'none' && site !== 'same-origin';
}
