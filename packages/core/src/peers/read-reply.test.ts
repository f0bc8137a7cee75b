import { describe, expect, it } from 'vitest';
import { readReply } from './read-reply.ts';

const task = (state: string, more: object = {}) => ({
  jsonrpc: '2.0',
  id: '1',
  result: { kind: 'task', id: 't', status: { state }, ...more },
});

function read(body: unknown, via: 'direct' | 'proxy') {
  return readReply(body, { peerId: 'p', messageId: 'm', isWrapped: via === 'proxy', via });
}

describe('a task of a peer that does not name its state', () => {
  it.each([
    ['working', 'queued', 'answered'],
    ['submitted', 'queued', 'answered'],
    ['input-required', 'input-required', 'input-required'],
    ['completed', 'unanswered', 'answered'],
    ['failed', 'failed', 'failed'],
    ['rejected', 'failed', 'failed'],
    ['canceled', 'canceled', 'canceled'],
  ])('%s', (state, direct, proxied) => {
    expect(read(task(state), 'direct')).toMatchObject({ status: direct, via: 'direct' });
    expect(read(task(state), 'proxy')).toMatchObject({ status: proxied, via: 'proxy' });
  });

  it('that is completed with a text is answered', () => {
    const reply = read(
      task('completed', { artifacts: [{ parts: [{ kind: 'text', text: 'done' }] }] }),
      'direct',
    );
    expect(reply).toMatchObject({ status: 'answered', text: 'done' });
  });
});

describe('a direct reply', () => {
  it('is as the peer wrote it: nothing is stripped, and a model gets it fenced', () => {
    const text = 'a [A2A_RESULT_FROM_PEER]b[/A2A_RESULT_FROM_PEER] c';
    const reply = read({ result: { parts: [{ kind: 'text', text }] } }, 'direct');
    expect(reply.text).toBe(text);
    expect(reply.parts).toEqual([{ kind: 'text', text }]);
    expect(`${reply}`).toMatch(/^<peer-text-[0-9a-f]{32} origin="/);
  });

  it.each([
    [{ error: { code: -32603, message: 'full', data: { code: 'disk_full' } } }, 'disk_full'],
    [{ error: { code: -32603, message: 'no' } }, null],
    [{ error: { code: -32603, message: 'no', data: { code: 'x'.repeat(101) } } }, null],
    [task('failed', { metadata: { code: 'disk_full' } }), 'disk_full'],
  ])('has the code of the failure: %j', (body, code) => {
    expect(read(body, 'direct')).toMatchObject({ status: 'failed', code });
  });
});
