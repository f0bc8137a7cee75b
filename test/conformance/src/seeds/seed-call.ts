import { request } from 'node:http';
import type { HttpResponse, Method } from '../harness/http.ts';

/** One HTTP call of a documentation page, as its program puts it on the wire. */
export interface SeedCall {
  /** Where it stands: page and step. */
  readonly from: string;
  readonly program: 'curl' | 'python-requests';
  readonly method: Method;
  /** With `{NAME}` where the page has a variable or a placeholder. */
  readonly path: string;
  /** The headers the page spells out. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes of the body, with `{NAME}` in the same way. */
  readonly body?: string;
}

/** What stands for each `{NAME}`. */
export type Substitutes = Readonly<Record<string, string>>;

/** Headers that each program adds by itself. */
const OWN_HEADERS = {
  curl: { 'User-Agent': 'curl/8.5.0', Accept: '*/*' },
  'python-requests': {
    'User-Agent': 'python-requests/2.32.3',
    'Accept-Encoding': 'gzip, deflate',
    Accept: '*/*',
    Connection: 'keep-alive',
  },
} as const;

/** The content type a program gives a body whose page names none. */
const OWN_CONTENT_TYPE = {
  curl: 'application/x-www-form-urlencoded',
  'python-requests': 'application/json',
} as const;

/** Puts the call on the wire byte by byte as its program does; `base` replaces scheme and host. */
export async function sendSeedCall(
  call: SeedCall,
  base: string,
  substitutes: Substitutes,
): Promise<HttpResponse> {
  const fill = (text: string) => substitute(text, substitutes);
  const url = new URL(base);
  const body = call.body === undefined ? undefined : fill(call.body);
  const spelled = Object.entries(call.headers).map(([name, value]) => [name, fill(value)] as const);
  const namesType = spelled.some(([name]) => name.toLowerCase() === 'content-type');
  const ownType = body !== undefined && !namesType ? { 'Content-Type': OWN_CONTENT_TYPE[call.program] } : {};
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const headers = [
    ['Host', url.host],
    ...Object.entries({ ...OWN_HEADERS[call.program], ...ownType, ...length }),
    ...spelled,
  ].flat();
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: url.hostname,
        port: url.port,
        method: call.method,
        path: fill(call.path),
        headers,
        agent: false,
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          outgoing.destroy();
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            text,
            body: parse(text),
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function substitute(text: string, substitutes: Substitutes): string {
  return text.replace(/\{([A-Z_]+)\}/g, (whole, name: string) => {
    const value = substitutes[name];
    if (value === undefined) throw new Error(`nothing stands for ${whole} in ${text}`);
    return value;
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
