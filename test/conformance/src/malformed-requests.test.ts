import { connect } from 'node:net';
import { isErrorCode } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { textAt } from './harness/http.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const CLOSE = 'Connection: close';
const FORM = 'Content-Type: multipart/form-data; boundary=x';
const FORM_BODY = '--x\r\n\r\nhello\r\n--x--';
const PREFLIGHT = 'Access-Control-Request-Method: POST';

/** Requests as they are on the wire, and the status of their responses. `{host}` is the `Host` header. */
const REQUESTS: readonly (readonly [string, number, string])[] = [
  ['OPTIONS of a route', 404, request('OPTIONS /workspaces', ['{host}'])],
  ['OPTIONS of everything', 404, request('OPTIONS *', ['{host}'])],
  ['OPTIONS of an unknown path', 404, request('OPTIONS /nowhere', ['{host}'])],
  ['a preflight', 404, request('OPTIONS /workspaces', ['{host}', 'Origin: https://a.example', PREFLIGHT])],
  ['an unknown Expect', 417, request('POST /workspaces', ['{host}', 'Expect: a-miracle'], '{}')],
  ['an unknown Expect on an unknown path', 417, request('GET /nowhere', ['{host}', 'Expect: a-miracle'])],
  ['no Host', 400, request('GET /workspaces', [])],
  ['no Host on an open route', 400, request('GET /health', [])],
  ['a form', 415, request('POST /workspaces', ['{host}', '{operator}', FORM], FORM_BODY)],
  ['a form on an unknown path', 404, request('POST /nowhere', ['{host}', FORM], FORM_BODY)],
  ['text on an unknown path', 404, request('POST /nowhere', ['{host}'], 'hello')],
  ['a form to a route not offered', 404, request('PUT /workspaces', ['{host}', FORM], FORM_BODY)],
  ['a method nobody knows', 400, request('FROB /workspaces', ['{host}'])],
  ['no HTTP', 400, 'hello\r\n\r\n'],
  ['a wrong length', 400, `POST /workspaces HTTP/1.1\r\n{host}\r\nContent-Length: -1\r\n\r\n`],
  ['too long headers', 431, request('GET /workspaces', ['{host}', `X-Long: ${'x'.repeat(20_000)}`])],
];

onEachDatabase('malformed requests', (environment) => {
  verifies('requests.errors-have-closed-codes', 'malformed have one shape', async () => {
    const platform = await environment.platform();
    const operator = `Authorization: Bearer ${platform.operatorKey}`;
    for (const [name, status, text] of REQUESTS) {
      const bytes = text
        .replace('{host}', `Host: 127.0.0.1:${platform.port}`)
        .replace('{operator}', operator);
      const response = await exchange(platform.port, bytes);
      expect(response.status, `${name}: ${response.head}`).toBe(status);
      expect(response.head, name).toMatch(/content-type: application\/json/i);
      const body: unknown = JSON.parse(response.body);
      expect(textAt(body, 'error'), name).not.toBe('');
      expect(isErrorCode(textAt(body, 'code')), response.body).toBe(true);
    }
  });

  verifies('requests.extras-are-ignored', 'a content type that is none', async () => {
    const platform = await environment.platform();
    for (const type of ['garbage', ';;;', '/', 'text/', 'application/json;;;']) {
      const created = await platform.operator.send({
        method: 'POST',
        path: '/workspaces',
        headers: { 'content-type': type },
        rawBody: '{"name":"a","external":true}',
      });
      expect(created.status, type).toBe(201);
    }
  });
});

function request(line: string, headers: readonly string[], body = ''): string {
  const length = body === '' ? [] : [`Content-Length: ${body.length}`];
  return [`${line} HTTP/1.1`, CLOSE, ...headers, ...length, '', body].join('\r\n');
}

async function exchange(
  port: number,
  bytes: string,
): Promise<{ readonly status: number; readonly head: string; readonly body: string }> {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
  const [head = '', body = ''] = text.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), head, body };
}
