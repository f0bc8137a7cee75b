import { describe, expect, it } from 'vitest';
import { holdResults, handlerStage as stage } from '../../test/handler-stage.ts';

const message = { role: 'user', messageId: 'm', parts: [{ kind: 'text', text: 'Hi' }] };

describe('the places for requests', () => {
  it('are limited, and free again after the response', async () => {
    const { inbound, post, send } = stage({ maxConcurrentRequests: 2 });
    const finish = holdResults(inbound);
    const held = [post({ message }), post({ message })];
    const refused = await send({ body: JSON.stringify({ message }) });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    finish();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await post({ message })).status).toBe(200);
  });

  it('are kept for the platform in part, and one peer has a share', async () => {
    const { inbound, post, send } = stage({ maxConcurrentRequests: 8 });
    const finish = holdResults(inbound);
    const held: Promise<{ status: number }>[] = [];
    const hold = async (from: string, count: number): Promise<void> => {
      for (let index = 0; index < count; index += 1) {
        const before = inbound.requests.length;
        held.push(post({ message }, { authorization: `Bearer ${from}` }));
        await expect.poll(() => inbound.requests.length).toBe(before + 1);
      }
    };
    const refusedTo = async (from: string) =>
      (await post({ message }, { authorization: `Bearer ${from}` })).body.error?.data.code;
    for (const peer of ['direct a', 'direct b', 'direct c']) {
      await hold(peer, 2);
      expect(await refusedTo(peer)).toBe('rate_limited');
    }
    expect(await refusedTo('direct d')).toBe('rate_limited');
    await hold('push a', 2);
    expect(await refusedTo('push')).toBe('rate_limited');
    const card = await send({ method: 'GET', path: '/.well-known/agent-card.json' });
    expect([card.status, card.headers.get('x-molecule-probe')]).toEqual([200, 'jti-1']);
    expect(await refusedTo('nobody')).toBe('unauthorized');
    finish();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect((await post({ message }, { authorization: 'Bearer direct a' })).status).toBe(200);
  });

  it('are others while a credential is checked', async () => {
    const { inbound, post, send } = stage({ maxConcurrentRequests: 1 });
    const check = Promise.withResolvers<void>();
    inbound.checked = check.promise;
    const finish = holdResults(inbound);
    const held = post({ message });
    await expect.poll(() => inbound.requests.length).toBe(1);
    const slow = Array.from({ length: 64 }, () => post({ message }, { authorization: 'Bearer slow' }));
    expect((await send({ body: '{}', headers: { authorization: 'Bearer slow' } })).status).toBe(429);
    check.resolve();
    expect(new Set((await Promise.all(slow)).map(({ status }) => status))).toEqual(new Set([401]));
    finish();
    expect((await held).status).toBe(200);
    expect((await post({ message })).status).toBe(200);
  });
});
