import { expect, it } from 'vitest';
import { ManualClock } from '../../../test/manual-clock.ts';
import { silentLogger } from '../../logging/logger.ts';
import type { PushResult } from './agent-response.ts';
import type { PushRequest } from './push-endpoint.ts';
import { type StateCall, StateCalls } from './state-calls.ts';

/** Agents that respond when the test says so. */
function startCalls() {
  const clock = new ManualClock();
  const posted: { readonly request: PushRequest; readonly respond: () => void }[] = [];
  const endpoint = {
    post: (request: PushRequest) =>
      new Promise<PushResult>((resolve) => {
        const respond = () => resolve({ kind: 'accepted' });
        request.signal.addEventListener('abort', () => resolve({ kind: 'aborted' }), { once: true });
        posted.push({ request, respond });
      }),
    forget: () => {},
    close: async () => {},
  };
  const peerTokens = {
    forPush: async () => ({ token: 'token', jti: '', issuedAt: 0, expiresAt: 0 }),
  };
  return { clock, posted, calls: new StateCalls({ clock, logger: silentLogger, endpoint, peerTokens }) };
}

const call = (workspaceId: string, status: StateCall['status']): StateCall => ({
  workspaceId,
  status,
  url: 'http://agent.example.com/',
});
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const statusOf = ({ request }: { request: PushRequest }) => JSON.parse(request.body).params.status;

it('an agent gets its changes one after the other, and of those that wait the last', async () => {
  const { calls, posted } = startCalls();
  for (const status of ['paused', 'awaiting_agent', 'paused', 'removed'] as const)
    calls.add(call('w', status));
  await turn();
  expect(posted).toHaveLength(1);
  posted[0]?.respond();
  await turn();
  expect(posted).toHaveLength(2);
  posted[1]?.respond();
  await calls.stop();
  expect(posted.map(statusOf)).toEqual(['paused', 'removed']);
});

it('32 agents are called at a time, 1 000 wait, and those that do not respond have five seconds', async () => {
  const { calls, clock, posted } = startCalls();
  for (let index = 0; index < 1_100; index += 1) calls.add(call(`w-${index}`, 'paused'));
  await turn();
  expect(posted).toHaveLength(32);
  clock.advance(4_999);
  expect(posted.some(({ request }) => request.signal.aborted)).toBe(false);
  for (let round = 0; round < 40; round += 1) {
    clock.advance(5_000);
    await turn();
  }
  expect(posted).toHaveLength(1_032);
  expect(posted.every(({ request }) => request.signal.aborted)).toBe(true);
  calls.add(call('v', 'paused'));
  await turn();
  await calls.stop();
  expect(posted[1_032]?.request.signal.aborted).toBe(true);
  calls.add(call('u', 'paused'));
  expect(posted).toHaveLength(1_033);
});
