import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { NEWER_TOKEN, PEER, SELF, TOKEN } from '../../test/agent-ids.ts';
import { ScriptedServer } from '../../test/scripted-server.ts';
import { operatorStage, stage } from '../../test/test-client.ts';
import { RemoteAgentClient } from '../agent/remote-agent-client.ts';
import { FileTokenStore } from '../credentials/token-store.ts';
import type { ApiError } from '../errors/api-error.ts';
import { silentLogger } from '../logging/logger.ts';
import { temporaryState } from '../testing/temporary-state.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('a refused credential', () => {
  it('a 401 names where the refused token came from, and never the token', async () => {
    const response = { status: 401, body: { error: 'no', code: 'invalid_credentials', hint: 'Register.' } };
    const hintOf = async (options: Parameters<typeof stage>[1], variables: Record<string, string> = {}) => {
      for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
      await using s = await stage(response, options);
      vi.unstubAllEnvs();
      const error = await s.client.register().catch((reason: unknown) => reason as ApiError);
      const { hint = '' } = error as ApiError;
      expect(JSON.stringify(error)).not.toMatch(new RegExp(`${TOKEN}|${NEWER_TOKEN}`));
      return hint;
    };
    const configured = { token: null, authToken: NEWER_TOKEN };
    expect(await hintOf(configured)).toMatch(/came from the option authToken\..* set authToken to it/);
    const variables = { MOLECULE_WORKSPACE_TOKEN: NEWER_TOKEN };
    expect(await hintOf({ token: null }, variables)).toMatch(
      /came from the variable MOLECULE_WORKSPACE_TOKEN\..* set MOLECULE_WORKSPACE_TOKEN to it/,
    );
    expect(await hintOf({})).toMatch(
      /came from the token store and was kept\..* set MOLECULE_WORKSPACE_TOKEN to it/,
    );
    expect(await hintOf({ authToken: NEWER_TOKEN })).toContain(
      'came from the token store (that of the option authToken was refused before) and was kept.',
    );
    using state = temporaryState();
    const tokenStore = new FileTokenStore({ directory: state.storage.directory });
    await tokenStore.save(TOKEN);
    expect(await hintOf({ storage: { tokenStore } })).toContain(
      `came from the file ${tokenStore.path} and was kept.`,
    );
    expect(await hintOf({ token: null, adminToken: NEWER_TOKEN })).toMatch(
      /operator key came from the option adminToken: .* MOLECULE_WORKSPACE_TOKEN/,
    );
  });

  it('a 401 of an operator names where the key came from', async () => {
    await using s = await operatorStage({ status: 401, body: { error: 'no', hint: 'Send the key.' } });
    await expect(s.client.listWorkspaces()).rejects.toMatchObject({
      hint: 'The refused operator key came from the option operatorKey. Send the key.',
    });
  });

  it('a 403 for a token of another workspace names both, whatever the platform calls it', async () => {
    const body = { error: 'invalid caller ID', code: 'caller_mismatch', hint: 'Check.' };
    await using s = await stage({ status: 403, body }, { authToken: NEWER_TOKEN });
    for (const request of [() => s.client.getPeers(), () => s.client.callPeer(PEER, 'hello')]) {
      await expect(request()).rejects.toMatchObject({
        code: 'access_denied',
        message: expect.stringContaining('This token belongs to another workspace: check workspaceId'),
        hint: expect.stringMatching(
          `^workspaceId is ${SELF}, and the token came from the option authToken\\.`,
        ),
      });
    }
  });
});

describe('a wrong address', () => {
  /** The error of a register that is sent there. */
  async function failureAt(platformUrl: string): Promise<unknown> {
    await using client = new RemoteAgentClient({
      platformUrl,
      workspaceId: SELF,
      authToken: TOKEN,
      limits: { maxRetries: 0 },
      logger: silentLogger,
    });
    return await client.register().catch((error: unknown) => error);
  }

  it('with https at a server without TLS says so, and is not tried again', async () => {
    await using server = await ScriptedServer.start({ body: {} });
    expect(await failureAt(server.url.replace('http:', 'https:'))).toMatchObject({
      code: 'connection_failed',
      isRetryable: false,
      hint: expect.stringMatching(/does not use TLS at this port: write http:/),
    });
  });

  it('of a server that only closes the connection asks for scheme and port', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    expect(await failureAt(`http://127.0.0.1:${port}`)).toMatchObject({
      code: 'connection_failed',
      hint: expect.stringContaining('check scheme and port of platformUrl'),
    });
    await new Promise((resolve) => server.close(resolve));
  });

  it('of a server that sends back what it receives is an error without the credential', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const error = await failureAt(`http://127.0.0.1:${port}`);
    expect(error).toMatchObject({ code: 'connection_failed', cause: { name: 'HTTPParserError' } });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(TOKEN);
    await new Promise((resolve) => server.close(resolve));
  });

  it('with a path shows the path, and asks for it', async () => {
    for (const body of [{ error: 'not found', code: 'not_found', hint: 'Check the path.' }, undefined]) {
      await using server = await ScriptedServer.start({ status: 404, body });
      expect(await failureAt(`${server.url}/api?key=secret`)).toMatchObject({
        message: expect.stringMatching(/^POST \/api\/registry\/register returned 404[^?]*$/),
        hint: expect.stringMatching(/^platformUrl has the path \/api: remove it/),
      });
    }
    const unknown = { error: 'no such workspace', code: 'workspace_not_found', hint: 'Create it.' };
    await using server = await ScriptedServer.start({ status: 404, body: unknown });
    expect(await failureAt(`${server.url}/api`)).toMatchObject({ hint: 'Create it.' });
  });

  it('of another server with JSON is one, also without an error in it', async () => {
    await using server = await ScriptedServer.start({ status: 404, body: { message: 'Cannot POST' } });
    expect(await failureAt(server.url)).toMatchObject({
      hint: expect.stringContaining('does not come from the platform: check platformUrl'),
    });
  });
});
