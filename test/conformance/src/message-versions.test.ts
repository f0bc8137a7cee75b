import type { JsonObject } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { trackCall, valueAt } from './harness/http.ts';
import { inbox, type Member, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const sendTo = (from: Member, to: Member, body: JsonObject, version?: string) =>
  from.caller.post(`/workspaces/${to.id}/a2a`, body, {
    'x-timeout': '0',
    ...(version === undefined ? {} : { 'a2a-version': version }),
  });

onEachDatabase('the versions of A2A', (environment) => {
  verifies('messages.dedupe.same-message', 'repeat in another version', async () => {
    const platform = await environment.platform();
    const [sender, target] = [await onboard(platform), await onboard(platform)];
    for (const [messageId, role] of [
      ['a', 'user'],
      ['b', 'ROLE_USER'],
    ] as const) {
      const message = { role, messageId, parts: [{ text: 'x' }] };
      const call = { jsonrpc: '2.0', id: 1, method: 'message/send', params: { message } };
      expect((await sendTo(sender, target, call)).status).toBe(202);
      for (const version of ['0.3', '1.0'])
        expect((await sendTo(sender, target, call, version)).status).toBe(200);
      expect((await sendTo(sender, target, { ...call, method: 'SendMessage' })).status).toBe(200);
      const changed = { ...call, params: { message: { ...message, parts: [{ text: 'y' }] } } };
      expect((await sendTo(sender, target, changed, '1.0')).status).toBe(409);
    }
    expect(await inbox(target)).toHaveLength(2);
  });

  verifies('rpc.a2a-versions', 'replies of 1: 0', async () => {
    const platform = await environment.platform();
    const [sender, target] = [await onboard(platform), await onboard(platform)];
    const held = trackCall(send(sender.caller, target.id, 'hi', { messageId: 'm', hold: 30 }));
    await expect.poll(() => inbox(target)).toHaveLength(1);
    const parts = [{ text: 'hello' }, { url: 'https://f.example/a', filename: 'a', mediaType: 'text/plain' }];
    const message = { role: 'ROLE_AGENT', messageId: 'r', parts, metadata: { in_reply_to: 'm' } };
    await sendTo(target, sender, { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message } });
    const file = { name: 'a', mimeType: 'text/plain', uri: 'https://f.example/a' };
    const shown = [{ kind: 'text' }, { kind: 'file', file }];
    expect((await held.response).body).toMatchObject({
      result: { kind: 'message', role: 'agent', parts: shown },
    });
  });

  verifies('rpc.form', 'one version', async () => {
    const platform = await environment.platform({ server: { contractCheck: 'responses' } });
    const [sender, target] = [await onboard(platform), await onboard(platform)];
    const version = `1.0${' ;'.repeat(1_100)}`;
    const message = { role: 'ROLE_USER', messageId: 'm', parts: [{ text: 'x' }] };
    const call = { jsonrpc: '2.0', id: 1, method: 'message/send', params: { message } };
    expect(await sendTo(sender, target, call, version)).toMatchObject({
      status: 202,
      body: { queued: true },
    });
  });

  verifies('rpc.form', 'requests in detail', async () => {
    const platform = await environment.platform({ server: { contractCheck: 'responses' } });
    const [sender, target] = [await onboard(platform), await onboard(platform)];
    const codeOf = async (body: JsonObject) =>
      valueAt((await sendTo(sender, target, body, '1.0')).body, 'error', 'code');
    const jsonrpc = '2.0';
    expect(await codeOf({ jsonrpc, id: 1, method: 'tasks/list', params: {} })).toBe(-32004);
    expect(await codeOf({ jsonrpc, id: 1, method: 'unknown', params: [] })).toBe(-32601);
    expect(await codeOf({ jsonrpc, id: 1, method: 'x'.repeat(101), params: {} })).toBe(-32601);
    const message = { messageId: 'm', parts: [{ text: 'x' }] };
    const large = { jsonrpc, id: 2 ** 60, method: 'SendMessage', params: { message } };
    expect((await sendTo(sender, target, large)).body).toMatchObject({
      id: null,
      error: { data: { field: 'id' } },
    });
    expect(await inbox(target)).toEqual([]);
  });
});
