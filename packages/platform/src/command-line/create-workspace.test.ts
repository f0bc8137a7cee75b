import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createWorkspace } from './create-workspace.ts';

/** Creates a workspace at a server that answers like this; returns the error. */
async function failure(
  listener: RequestListener,
  timeoutMs?: number,
): Promise<{ message: string; hint: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const output = {
    out: () => {
      throw new Error('nothing is written');
    },
    err: () => {},
  };
  const command = {
    name: 'workspace create',
    workspaceName: 'a',
    parent: undefined,
    url,
    variables: {},
    logLevel: 'info',
  } as const;
  return createWorkspace(command, {}, output, new AbortController().signal, timeoutMs).then(
    () => ({ message: '', hint: '' }),
    (error) => error,
  );
}

it('has the words that the workspace may exist when there was no answer', async () => {
  const late = await failure(() => {}, 50);
  expect(late.message).toMatch(/did not answer in time; it may have created the workspace\.$/);
  expect(late.hint).toMatch(/^GET \/workspaces lists/);
  const cut = await failure((_, response) => {
    response.writeHead(201);
    response.write('{');
  }, 50);
  expect(cut.message).toBe(late.message.replace(/:\d+/, /:\d+/.exec(cut.message)?.[0] ?? ''));
  const closed = await failure((request) => void request.socket.destroy());
  expect(closed.message).toMatch(
    /closed the connection before it answered; it may have created the workspace\.$/,
  );
});

it('shows the text of a server in one line of bounded length, without what a terminal interprets', async () => {
  const { message } = await failure((_, response) => {
    const error = `bad \u001b[31m\u202e\u2028red\n${'y'.repeat(100_000)}`;
    response.writeHead(400);
    response.end(JSON.stringify({ error, code: 'invalid_request', field: '\u001b]0;x\u0007' }));
  });
  expect(message).toMatch(
    /^The platform refused the workspace: bad \[31m red y+… \(invalid_request, \]0;x\)\.$/,
  );
  expect(message.length).toBeLessThan(300);
});

it.each(['~root', 'a:~root', '$(id)', 'a\nb', ''])(
  'writes no token that is more than text in a shell: %j',
  async (token) => {
    const { message } = await failure((request, response) => {
      const url = `http://${request.headers.host}`;
      const id = '11111111-1111-4111-8111-111111111111';
      response.writeHead(201);
      response.end(
        JSON.stringify({ id, connection: { platform_url: url, workspace_id: id, auth_token: token } }),
      );
    });
    expect(message).toMatch(/did not answer as a platform does/);
  },
);
