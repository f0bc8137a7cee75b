import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'vitest';
import { onEachDatabase } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const WORKSPACE = 'ab000000-0000-4000-8000-000000000001';

onEachDatabase('an agent whose platform does not answer', (environment) => {
  /** Runs an agent with `exitWhenDead` in a process of its own until that ends. */
  async function endOf(platform: { readonly url: string }): Promise<{ code: unknown; text: string }> {
    const program = `
      import { createRemoteAgent, MemoryInboundStore, MemoryTokenStore, RemoteAgentClient } from '@molecule-ai/core';
      const client = new RemoteAgentClient({ storage: { tokenStore: new MemoryTokenStore() } });
      const onMessage = () => undefined;
      const presence = { exitWhenDead: 10_000, heartbeatIntervalMs: 1_000 };
      const store = new MemoryInboundStore();
      const agent = createRemoteAgent({ client, store, onMessage, presence });
      setInterval(() => {}, 1_000); // What keeps a process alive that no longer works.
      agent.start().catch(() => {});
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: new URL('..', import.meta.url),
      env: {
        PATH: process.env.PATH,
        MOLECULE_PLATFORM_URL: platform.url,
        MOLECULE_WORKSPACE_ID: WORKSPACE,
        MOLECULE_WORKSPACE_TOKEN: 'a-token-of-a-workspace',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    const [code] = await once(child, 'close');
    return { code, text };
  }

  verifies('agent.exit-when-dead', 'exit when dead', async () => {
    const { code, text } = await endOf(
      await environment.scriptedAgent({ script: () => ({ kind: 'hang-up' }) }),
    );
    expect(code, text).toBe(70);
    expect(text.match(/"level":"error"/g)).toHaveLength(1);
    expect(text).toContain('platform-unreachable');
    expect(text).not.toContain('a-token-of-a-workspace');
  });

  verifies('agent.exit-when-dead', 'exit when limited', async () => {
    const platform = await environment.scriptedAgent({
      script: ({ path }) =>
        path.endsWith('/heartbeat')
          ? { kind: 'json', status: 429, body: { error: 'slow down', code: 'rate_limited' } }
          : { kind: 'json', body: path.includes('/activity') ? [] : { status: 'registered' } },
    });
    const { code, text } = await endOf(platform);
    expect(code, text).toBe(70);
    expect(text.match(/"level":"error"/g)).toHaveLength(1);
    expect(platform.requests.filter(({ path }) => path.endsWith('/heartbeat')).length).toBeGreaterThan(1);
  });
});
