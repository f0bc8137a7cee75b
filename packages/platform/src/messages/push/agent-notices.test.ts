import { expect, it } from 'vitest';
import { ManualClock } from '../../../test/manual-clock.ts';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { WorkspaceRow } from '../../database/schema.ts';
import { silentLogger } from '../../logging/logger.ts';
import type { Posting, PushRequest, PushResult } from './agent-endpoint.ts';
import { AgentNotices } from './agent-notices.ts';
import { PushRequests, type PushRequestsOptions } from './push-requests.ts';

/** Agents that respond when the test says so. */
function startNotices() {
  const clock = new ManualClock();
  const posted: { readonly body: string; readonly signal: AbortSignal; readonly respond: () => void }[] = [];
  const post = ({ body }: PushRequest, { signal }: Posting) =>
    new Promise<PushResult>((resolve) => {
      const respond = () => resolve({ kind: 'accepted' });
      signal.addEventListener('abort', () => resolve({ kind: 'aborted' }), { once: true });
      posted.push({ body, signal, respond });
    });
  const peerTokens = { forPush: async () => ({ token: 'token', jti: '', expiresAt: 0 }) };
  const requests = new PushRequests({ peerTokens } as unknown as PushRequestsOptions);
  const notices = new AgentNotices({ clock, logger: silentLogger, endpoint: { post }, requests });
  const unit = { afterCommit: (task: () => void) => task() } as UnitOfWork;
  const announce = (id: string, status: 'paused' | 'awaiting_agent' | 'removed') =>
    notices.announce(unit, { id, url: 'http://a.example/', delivery_mode: 'push' } as WorkspaceRow, status);
  return { clock, posted, notices, announce };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

it('an agent gets its changes one after the other, and of those that wait the last', async () => {
  const { announce, notices, posted } = startNotices();
  for (const status of ['paused', 'awaiting_agent', 'paused', 'removed'] as const) announce('w', status);
  await turn();
  expect(posted).toHaveLength(1);
  posted[0]?.respond();
  await turn();
  expect(posted).toHaveLength(2);
  posted[1]?.respond();
  await notices.stop();
  expect(posted.map(({ body }) => JSON.parse(body).params.status)).toEqual(['paused', 'removed']);
});

it('32 agents are called at a time, 1 000 wait, and those that do not respond have five seconds', async () => {
  const { announce, clock, notices, posted } = startNotices();
  for (let index = 0; index < 1_100; index += 1) announce(`w-${index}`, 'paused');
  await turn();
  expect(posted).toHaveLength(32);
  clock.advance(4_999);
  expect(posted.some(({ signal }) => signal.aborted)).toBe(false);
  for (let round = 0; round < 40; round += 1) {
    clock.advance(5_000);
    await turn();
  }
  expect(posted).toHaveLength(1_032);
  expect(posted.every(({ signal }) => signal.aborted)).toBe(true);
  announce('v', 'paused');
  await turn();
  await notices.stop();
  expect(posted[1_032]?.signal.aborted).toBe(true);
  announce('u', 'paused');
  expect(posted).toHaveLength(1_033);
});
