import {
  A2AServer,
  createRemoteAgent,
  MemoryInboundStore,
  MemoryTokenStore,
  MessageFailure,
  RemoteAgentClient,
  silentLogger,
} from '@molecule-ai/core';
import { createInboundHandler, type InboundHandler } from '@molecule-ai/core/inbound';
import { startScriptedAgent } from '@molecule-tests/harness';
import { describe, expect, it } from 'vitest';
import type { Operation } from './client-program.ts';
import { LineProcess } from './line-process.ts';
import { node } from './participants.ts';

/** An agent that anybody may call at its own URL; its platform only registers it. */
async function startAgent() {
  const platform = await startScriptedAgent({ script: () => ({ kind: 'json', body: { status: 'ok' } }) });
  let handler: InboundHandler | undefined;
  const bodies: string[] = [];
  const server = new A2AServer({
    port: 0,
    handler: async (request) => {
      const response = await (handler?.(request) ?? new Response(null, { status: 503 }));
      if (request.method === 'POST') bodies.push(await response.clone().text());
      return response;
    },
  });
  await server.start();
  const client = new RemoteAgentClient({
    platformUrl: platform.url,
    workspaceId: crypto.randomUUID(),
    authToken: 'a-token',
    storage: { tokenStore: new MemoryTokenStore() },
    reportedUrl: server.url,
    logger: silentLogger,
  });
  const agent = createRemoteAgent({
    client,
    delivery: 'push',
    inboundAuth: 'none',
    store: new MemoryInboundStore(),
    onMessage: async ({ text }, { signal }) => {
      if (text === 'fail') throw new MessageFailure('The disk is full.', { code: 'disk_full' });
      if (text !== 'wait') return `You said: ${text}`;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return undefined;
    },
  });
  handler = createInboundHandler(agent);
  await agent.start();
  return {
    url: server.url,
    bodies,
    stop: async () => {
      await agent.stop({ timeoutMs: 0 });
      await Promise.all([server.stop(), client.close(), platform.stop()]);
    },
  };
}

describe.each([
  ['client-js-0.3.ts', '"kind":"message"', /ROLE_|TASK_STATE_/],
  ['client-js-1.0.ts', '"role":"ROLE_AGENT"', /"kind"|"type"/],
])('%s and the server of an agent', (program, words, otherWords) => {
  it('finds the card, gets answers and tasks, cancels, and gets errors', async () => {
    const agent = await startAgent();
    const process = new LineProcess(program, node(program), ['{}']);
    try {
      const call = (operation: Operation) => process.call({ url: agent.url }, operation);
      expect(await call({ op: 'send', text: 'hello', contextId: 'c-1' })).toEqual({
        kind: 'message',
        text: 'You said: hello',
        contextId: 'c-1',
      });
      const task = await call({ op: 'send', text: 'wait', hold: 0 });
      expect(task).toMatchObject({ kind: 'task', state: 'working' });
      const { id } = task as { readonly id: string };
      expect(await call({ op: 'get', id })).toMatchObject({ kind: 'task', id, state: 'working' });
      expect(await call({ op: 'cancel', id })).toMatchObject({ kind: 'task', id, state: 'canceled' });
      const failed = await call({ op: 'send', text: 'fail' });
      expect(failed).toMatchObject({ kind: 'error', message: expect.stringContaining('The disk is full.') });
      expect(await call({ op: 'get', id: 'of-nobody' })).toMatchObject({ kind: 'error', code: -32001 });
      expect(agent.bodies.join('\n')).toContain(words);
      expect(agent.bodies.join('\n')).not.toMatch(otherWords);
    } finally {
      await process.stop();
      await agent.stop();
    }
  });
});
