import { type JsonObject, viewMessage } from '@molecule-ai/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { storeRequest, textsAt } from './activity-row.ts';

let running: RunningPlatform;
beforeAll(async () => {
  running = await startPlatform({
    limits: { rateLimit: 1_000_000 },
    data: { synchronous: 'normal' },
    // Clients of others send shapes that ours do not.
    server: { contractCheck: 'responses' },
  });
});
afterAll(() => running.platform.close());

async function rowsOf(bodies: JsonObject[]) {
  const asker = await running.join({ name: 'asker' });
  const reader = await running.join({ name: 'reader' });
  for (const each of bodies) {
    const { status, body } = await running.call('POST', `/workspaces/${reader.id}/a2a`, {
      token: asker.token,
      body: each,
      headers: { 'x-timeout': '0' },
    });
    expect([status, body.error]).toEqual([202, undefined]);
  }
  const path = `/workspaces/${reader.id}/activity?direction=all&order=asc&view=compact`;
  const compact = (await running.call('GET', path, { token: reader.token })).body;
  return { reader, compact };
}

describe('view=compact', () => {
  it('has what else a call holds as params, and parts for every shape of a request', async () => {
    const message = {
      role: 'agent',
      messageId: 'a',
      parts: [{ kind: 'text', text: 'root' }],
      taskId: 't',
    };
    const { compact } = await rowsOf([
      { method: 'message/send', params: { message, configuration: { blocking: true }, metadata: { a: 1 } } },
      { task: 'do it' },
    ] as JsonObject[]);
    expect(compact[0]).toMatchObject({
      parts: [{ text: 'root' }],
      metadata: { a: 1 },
      params: { configuration: { blocking: true }, message: { role: 'agent', taskId: 't' } },
    });
    expect(compact[1]).toMatchObject({ parts: [{ text: 'do it' }], metadata: {}, params: { task: 'do it' } });
  });

  it('shows what the workspace said and reported itself', async () => {
    const { reader } = await rowsOf([]);
    const own = { token: reader.token };
    const file = { uri: 'workspace:/a.txt', name: 'a.txt' };
    await running.call('POST', `/workspaces/${reader.id}/notify`, {
      ...own,
      body: { message: 'for you', attachments: [file] },
    });
    await running.call('POST', `/workspaces/${reader.id}/activity`, {
      ...own,
      body: { activity_type: 'task_update', summary: 's', metadata: { task: 'sorting' } },
    });
    const path = `/workspaces/${reader.id}/activity?order=asc&view=compact`;
    const { body } = await running.call('GET', path, own);
    expect(body).toMatchObject([
      {
        direction: 'out',
        method: 'notify',
        source: null,
        state: null,
        parts: [{ text: 'for you' }, { kind: 'file', file }],
      },
      { direction: 'out', type: 'task_update', parts: [{ text: 'sorting' }] },
    ]);
  });

  it('is 400 for another word', async () => {
    const { reader } = await rowsOf([]);
    const path = `/workspaces/${reader.id}/activity?view=short`;
    expect(await running.call('GET', path)).toMatchObject({ status: 400, body: { field: 'view' } });
  });
});

describe('a stored request', () => {
  const texts = (envelope: JsonObject) => {
    const { request_body, layout } = storeRequest(viewMessage(envelope));
    expect(request_body).toBe(JSON.stringify(envelope));
    return layout === null ? undefined : textsAt(request_body, layout);
  };
  const parts = [{ kind: 'text', text: '"parts":[😀]' }];

  it('has its texts where its layout says', () => {
    expect(texts({ id: 1, method: 'm', params: { message: { messageId: '"parts":[', parts } } })).toEqual({
      parts: JSON.stringify(parts),
      metadata: '{}',
    });
    const metadata = { 'k"ey': ['}'] };
    for (const params of [
      { message: { metadata, parts } },
      { metadata, message: { parts } },
    ] as JsonObject[]) {
      expect(texts({ method: 'm', params })).toEqual({
        parts: JSON.stringify(parts),
        metadata: JSON.stringify(metadata),
      });
    }
  });

  it.each<[string, JsonObject]>([
    ['no message', { method: 'm', params: { task: 'x' } }],
    ['another role', { params: { message: { role: 'agent', parts } } }],
    ['wrapped parts', { params: { message: { parts: [{ root: { text: 'x' } }] } } }],
    ['two metadata', { params: { metadata: { a: 1 }, message: { metadata: { b: 1 }, parts } } }],
    ['further keys', { params: { message: { parts, taskId: 't' } } }],
    ['an empty object', {}],
  ])('has no layout with %s', (_name, envelope) => {
    expect(texts(envelope)).toBeUndefined();
  });
});
