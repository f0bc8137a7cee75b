import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, vi } from 'vitest';
import { valueAt } from '../harness/http.ts';
import { heartbeat, onboard, send } from '../harness/members.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

// Many answers of 9 MiB are sent and read.
vi.setConfig({ testTimeout: 60_000 });

const MIB = 1024 * 1024;
const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
const START =
  '{"jsonrpc":"2.0","id":1,"result":{"kind":"message","role":"agent","messageId":"r","parts":[{"kind":"text","text":"';
const END = '"}]}}';
/** Unfinished answers of 9 MiB: together more than 32 MiB. */
const UNFINISHED = 5;

/** An agent whose answers have as many bytes as the message says; those to `<bytes> unfinished` end with `finish`. */
async function startAgent(environment: TestEnvironment) {
  const open: ServerResponse[] = [];
  let onOpen = () => {};
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const [, bytes, unfinished] = /"text":"(\d+)( unfinished)?"/.exec(body) ?? [];
    response.write(START + 'a'.repeat(Number(bytes)));
    if (unfinished === undefined) return void response.end(END);
    open.push(response);
    onOpen();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  environment.onCleanup(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/a2a`,
    opened: (count: number) =>
      new Promise<void>((resolve) => {
        onOpen = () => open.length >= count && resolve();
        onOpen();
      }),
    finish: () => {
      for (const response of open.splice(0)) response.end(END);
    },
  };
}

onEachDatabase('large answers of agents', (environment) => {
  verifies('answers.bounded-memory', 'answers in turn', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await startAgent(environment);
    const sender = await onboard(platform);
    const [target, other] = [
      await onboard(platform, { url: agent.url }),
      await onboard(platform, { url: agent.url.replace('/a2a', '/other') }),
    ];
    const record = async (messageId: string, wait = 0) =>
      (await sender.caller.get(`/workspaces/${sender.id}/messages/${messageId}?wait=${wait}`)).body;
    for (let index = 0; index < UNFINISHED; index += 1) {
      await send(sender.caller, target.id, `${9 * MIB} unfinished`, { messageId: `m-${index}` });
    }
    await agent.opened(UNFINISHED);
    // Which of the answers are read first is open: some of these may be done before the memory is used up.
    const whole: string[] = [];
    do {
      const messageId = `whole-${whole.length}`;
      whole.push(messageId);
      await send(sender.caller, target.id, String(9 * MIB), { messageId });
      for (const [to, bytes] of [
        [other.id, MIB],
        [target.id, 10],
      ] as const) {
        expect((await send(sender.caller, to, String(bytes), { hold: 60 })).status).toBe(200);
      }
      expect(whole.length).toBeLessThan(20);
    } while (valueAt(await record(whole.at(-1) ?? ''), 'state') !== 'queued');
    agent.finish();
    const ids = [...Array.from({ length: UNFINISHED }, (_, index) => `m-${index}`), ...whole];
    for (const messageId of ids) {
      expect([messageId, valueAt(await record(messageId, 60), 'state')]).toEqual([messageId, 'answered']);
    }
  });

  verifies('answers.bounded-memory', 'large answer in time', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const agent = await startAgent(environment);
    const sender = await onboard(platform);
    const target = await onboard(platform, { url: agent.url });
    await send(sender.caller, target.id, `${MIB} unfinished`, { messageId: 'm-1' });
    await agent.opened(1);
    const record = async () => (await sender.caller.get(`/workspaces/${sender.id}/messages/m-1`)).body;
    // The limit of an attempt is 300 s.
    await platform.clock.advanceUntil(
      async () => {
        await heartbeat(target);
        return valueAt(await record(), 'last_error', 'code') === 'agent_timeout';
      },
      { limitMs: 120_000 },
    );
  });
});
