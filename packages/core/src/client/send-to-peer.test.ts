import { describe, expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { stage } from '../../test/test-client.ts';

const queued = { status: 202, body: { queued: true, status: 'queued', queue_id: 'q', message: 'stored' } };
const answer = {
  jsonrpc: '2.0',
  id: '1',
  result: { kind: 'message', parts: [{ kind: 'text', text: 'done' }] },
};

describe('sendToPeer', () => {
  it('asks the platform not to hold the call', async () => {
    await using s = await stage(queued);
    const reply = await s.client.sendToPeer(PEER, 'go on', { messageId: 'm-1', contextId: 'c-1' });
    expect(reply).toMatchObject({
      status: 'queued',
      peerId: PEER,
      messageId: 'm-1',
      contextId: 'c-1',
      text: '',
    });
    expect(s.server.last.headers['x-timeout']).toBe('0');
    await s.client.callPeer(PEER, 'go on');
    expect(s.server.last.headers['x-timeout']).toBe('25');
  });

  it('keeps an answer that the platform returns nevertheless', async () => {
    await using s = await stage({ body: answer });
    expect(await s.client.sendToPeer(PEER, 'go on')).toMatchObject({ status: 'answered', text: 'done' });
  });

  it('is repeated with the same message id', async () => {
    await using s = await stage([{ status: 503, body: { error: 'later' } }, queued]);
    const messageId = s.client.deriveMessageId('order 7');
    expect(await s.client.sendToPeer(PEER, 'go on', { messageId })).toMatchObject({
      messageId,
      status: 'queued',
    });
    const sent = s.server.requests.map(
      ({ body }) => (body as { params: { message: { messageId: string } } }).params,
    );
    expect(sent.map(({ message }) => message.messageId)).toEqual([messageId, messageId]);
  });

  it('refuses a blank text before any request', async () => {
    await using s = await stage(queued);
    await expect(s.client.sendToPeer(PEER, ' ')).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(s.server.requests).toEqual([]);
  });
});

describe('a call to a peer that cannot be looked up', () => {
  const offline = { error: 'workspace not available', status: 'offline' };

  it.each([
    ['is away', { status: 503, body: { ...offline, code: 'workspace_unavailable' } }],
    ['is away, on an older platform', { status: 503, body: offline }],
    ['is not known because the platform is overloaded', { status: 503, body: { error: 'busy' } }],
  ])('goes through the platform at once: the peer %s', async (_which, lookup) => {
    await using s = await stage([lookup, { status: 202, body: { queued: true } }], { directCalls: 'always' });
    expect(await s.client.callPeer(PEER, 'hello', { messageId: 'm-1' })).toMatchObject({ status: 'queued' });
    expect(s.server.requests.map(({ path }) => path)).toEqual([
      `/registry/discover/${PEER}`,
      `/workspaces/${PEER}/a2a`,
    ]);
  });

  it('and discoverPeer() asks once', async () => {
    await using s = await stage({ status: 503, body: { ...offline, code: 'workspace_unavailable' } });
    expect(await s.client.discoverPeer(PEER)).toBeNull();
    expect(s.server.requests).toHaveLength(1);
  });
});
