import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { wrapA2aBoundary } from '@molecule-ai/protocol';
import { describe, expect } from 'vitest';
import { textAt, valueAt } from '../harness/http.ts';
import { envelope, inboxTexts, type Member, onboard, send } from '../harness/members.ts';
import type { RunningPlatform } from '../harness/running-platform.ts';
import { endAnswer, startStreamingAgent } from '../harness/streaming-agent.ts';
import { StreamClient } from '../harness/streams.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const MIB = 1024 * 1024;
const MANUAL = { security: { allowAgentNetworks: ['127.0.0.0/8'] }, clock: 'manual' } as const;
const LARGE = 'a'.repeat(9 * MIB);

/** Two callers, and an agent that has answered `large` and `small` to both. */
async function answered(environment: TestEnvironment) {
  const platform = await environment.platform(MANUAL);
  const agent = await environment.scriptedAgent({
    script: ({ body }) => {
      const isLarge = JSON.stringify(body).includes('"large"');
      const parts = [{ kind: 'text', text: isLarge ? LARGE : 'small' }];
      return { kind: 'json', body: { jsonrpc: '2.0', id: 1, result: { kind: 'message', parts } } };
    },
  });
  const target = await onboard(platform, { url: agent.url });
  const [caller, other] = [await onboard(platform), await onboard(platform)];
  for (const { caller: from } of [caller, other]) {
    for (const id of ['large', 'small']) await send(from, target.id, id, { messageId: id, hold: 30 });
  }
  return { platform, target, caller, other };
}

/** What asks for the answer of a message that has ended. */
const WAYS: Readonly<Record<string, (target: Member, of: Member, id: string) => Asked>> = {
  record: (_, { id: from }, id) => ({ method: 'GET', path: `/workspaces/${from}/messages/${id}` }),
  task: ({ id: to }, _, id) => post(to, { jsonrpc: '2.0', id: 1, method: 'tasks/get', params: { id } }),
  resubscription: ({ id: to }, _, id) =>
    post(to, { jsonrpc: '2.0', id: 1, method: 'tasks/resubscribe', params: { id } }),
  repeat: ({ id: to }, _, id) => post(to, envelope(id, { messageId: id })),
  'repeated stream': ({ id: to }, _, id) =>
    post(to, { ...envelope(id, { messageId: id }), method: 'message/stream' }),
};

interface Asked {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
}

function post(to: string, body: unknown): Asked {
  return { method: 'POST', path: `/workspaces/${to}/a2a`, body };
}

/** A response of which nothing is read before `text`. */
interface Opened {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly request: ClientRequest;
  /** The whole body; undefined when the connection ends before. */
  text(): Promise<string | undefined>;
}

/** Asks over a connection of its own, and reads nothing of the response. */
function open(
  environment: TestEnvironment,
  platform: RunningPlatform,
  { token }: Member,
  { method, path, body }: Asked,
): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const sent = request(`${platform.url}${path}`, { method, agent: false, headers });
    environment.onCleanup(() => void sent.destroy());
    sent.on('error', reject);
    sent.on('response', (response) => {
      response.pause();
      response.on('error', () => {});
      const text = () =>
        new Promise<string | undefined>((done) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('close', () => {
            done(response.complete ? Buffer.concat(chunks).toString('utf8') : undefined);
          });
          response.resume();
        });
      resolve({ status: response.statusCode ?? 0, headers: response.headers, request: sent, text });
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

onEachDatabase('large answers', (environment) => {
  describe('that are read', { timeout: 60_000 }, () => {
    verifies('answers.bounded-memory', 'read in bounded memory', async () => {
      const { platform, target, caller, other } = await answered(environment);
      const ask = (from: Member, way: string, id: string) => {
        const asked = WAYS[way]?.(target, from, id);
        if (asked === undefined) throw new Error(way);
        return open(environment, platform, from, asked);
      };
      for (const way of Object.keys(WAYS)) {
        // None of these is read. Together they would be more than one workspace may use.
        const unread = [await ask(caller, way, 'large')];
        expect([way, unread[0]?.status]).toEqual([way, 200]);
        let refused: Opened | undefined;
        const next = ask(caller, way, 'large').then((opened) => {
          if (opened.status === 200) unread.push(opened);
          else refused = opened;
        });
        expect(await (await ask(caller, way, 'small')).text()).toContain('small');
        expect((await (await ask(other, way, 'large')).text())?.length).toBeGreaterThan(LARGE.length);
        await platform.clock.advanceUntil(() => refused !== undefined, { limitMs: 20_000 });
        await next;
        expect([way, refused?.status, refused?.headers['retry-after']]).toEqual([way, 503, '2']);
        expect(await refused?.text()).toContain('platform_unavailable');
        // Whoever was first gets all of it, and then there is memory again.
        expect((await unread[0]?.text())?.length).toBeGreaterThan(LARGE.length);
        expect((await (await ask(caller, way, 'large')).text())?.length).toBeGreaterThan(LARGE.length);
      }
    });

    verifies('answers.bounded-memory', 'read in time', async () => {
      const { platform, target, caller } = await answered(environment);
      const path = `/workspaces/${caller.id}/messages/large`;
      const slow = await open(environment, platform, caller, { method: 'GET', path });
      await platform.clock.advance(400_000);
      expect(await slow.text()).toBeUndefined();
      const streamed = { ...envelope('large', { messageId: 'large' }), method: 'message/stream' };
      const stalled = await open(environment, platform, caller, post(target.id, streamed));
      await platform.clock.advance(31_000);
      expect(await stalled.text()).toBeUndefined();
      expect((await caller.caller.get(path)).text.includes(LARGE)).toBe(true);
    });

    verifies('answers.bounded-memory', 'end: no memory', async () => {
      const { platform, caller } = await answered(environment);
      const agent = await startStreamingAgent(environment, platform);
      const path = `/workspaces/${caller.id}/messages/large`;
      const unread = await open(environment, platform, caller, { method: 'GET', path });
      const stream = await new StreamClient(environment, platform).send(caller, agent, 'hi', {
        messageId: 'm-1',
      });
      const answer = await agent.stream(1);
      answer.out.send(answer.events.text(LARGE));
      await stream.until(() => stream.text.length > LARGE.length);
      endAnswer(answer);
      const isOver = () => stream.results.at(-1)?.kind === 'status-update';
      await platform.clock.advanceUntil(isOver, { limitMs: 20_000 });
      expect(textAt(stream.results.at(-1), 'status', 'state')).toBe('working');
      expect(stream.text === wrapA2aBoundary(LARGE)).toBe(true);
      unread.request.destroy();
      const { body } = await caller.caller.get(`/workspaces/${caller.id}/messages/m-1`);
      expect(valueAt(body, 'state')).toBe('answered');
      await platform.clock.advanceUntil(async () => (await inboxTexts(caller)).length > 0);
    });
  });
});
