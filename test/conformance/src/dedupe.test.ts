import { completed } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { textAt, valueAt } from './harness/http.ts';
import { inbox, inboxTexts, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

onEachDatabase('repeated messages', (environment) => {
  verifies('messages.dedupe.same-message', 'dedupe: same message', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const first = await send(caller.caller, target.id, 'once', { messageId: 'm-1' });
    const second = await send(caller.caller, target.id, 'once', { messageId: 'm-1' });
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(textAt(second.body, 'queue_id')).toBe(textAt(first.body, 'queue_id'));
    expect(textAt(second.body, 'activity_id')).toBe(textAt(first.body, 'activity_id'));
    expect(await inboxTexts(target)).toEqual(['once']);
  });

  verifies('messages.dedupe.same-message', 'dedupe: answered', async () => {
    const platform = await environment.platform({ security: { allowAgentNetworks: ['127.0.0.0/8'] } });
    const agent = await environment.scriptedAgent({
      script: (request, count) => ({ kind: 'json', body: completed(request, `run ${count}`) }),
    });
    const caller = await onboard(platform);
    const target = await onboard(platform, { url: agent.url });
    const first = await send(caller.caller, target.id, 'work', { messageId: 'm-1', hold: 5 });
    const second = await send(caller.caller, target.id, 'work', { messageId: 'm-1', hold: 5 });
    expect(first).toMatchObject({ status: 200 });
    expect(second.body).toEqual(first.body);
    expect(agent.requests).toHaveLength(1);
  });

  verifies('messages.dedupe.same-message', 'dedupe: at the same time', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => send(caller.caller, target.id, 'once', { messageId: 'm-1' })),
    );
    expect(new Set(answers.map(({ body }) => textAt(body, 'queue_id'))).size).toBe(1);
    expect(await inboxTexts(target)).toEqual(['once']);
  });

  verifies('messages.dedupe.other-body', 'dedupe: other body', async () => {
    const platform = await environment.platform();
    const [caller, target, third] = [
      await onboard(platform),
      await onboard(platform),
      await onboard(platform),
    ];
    await send(caller.caller, target.id, 'this', { messageId: 'm-1' });
    const conflict = { status: 409, body: { code: 'message_id_conflict' } };
    expect(await send(caller.caller, target.id, 'that', { messageId: 'm-1' })).toMatchObject(conflict);
    expect(await send(caller.caller, third.id, 'this', { messageId: 'm-1' })).toMatchObject(conflict);
    expect(await inboxTexts(target)).toEqual(['this']);
    expect(await inboxTexts(third)).toEqual([]);
  });

  verifies('messages.dedupe.other-body', 'dedupe: per caller', async () => {
    const platform = await environment.platform();
    const [one, two, target] = [await onboard(platform), await onboard(platform), await onboard(platform)];
    const answers = [
      await send(one.caller, target.id, 'same', { messageId: 'm-1' }),
      await send(two.caller, target.id, 'same', { messageId: 'm-1' }),
      await send(platform.operator, target.id, 'same', { messageId: 'm-1' }),
    ];
    expect(new Set(answers.map(({ body }) => textAt(body, 'queue_id'))).size).toBe(3);
    expect((await inbox(target)).map((row) => valueAt(row, 'source_id'))).toEqual([one.id, two.id, null]);
  });
});
