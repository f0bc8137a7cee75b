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
