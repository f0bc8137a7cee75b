import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { eventually, say } from '../../test/scripted-agent.ts';

interface Member {
  readonly id: string;
  readonly token: string;
}

let running: RunningPlatform;
beforeAll(async () => {
  running = await startPlatform({ rateLimit: 1_000_000 });
});
afterAll(() => running.platform.close());

let counter = 0;
const newId = () => `q-${++counter}`;

function send(from: Member | null, to: Member, body: unknown, timeout?: string) {
  return running.call('POST', `/workspaces/${to.id}/a2a`, {
    ...(from === null ? {} : { token: from.token }),
    body,
    headers: timeout === undefined ? {} : { 'x-timeout': timeout },
  });
}

async function feed(of: Member, query = 'unacknowledged=true') {
  const answer = await running.call('GET', `/workspaces/${of.id}/activity?${query}`, { token: of.token });
  expect(answer.status).toBe(200);
  return answer.body;
}

const arrival = (at: Member, messageId: string) =>
  eventually(async () =>
    (await feed(at)).find((row: { message_id?: string }) => row.message_id === messageId),
  );

const pair = async () =>
  [await running.join({ name: 'asker' }), await running.join({ name: 'poller' })] as const;

describe('a call to a polling agent', () => {
  it('returns at once when the agent replies', async () => {
    const [asker, poller] = await pair();
    const messageId = newId();
    const held = send(asker, poller, say('question', messageId), '30');
    const row = await arrival(poller, messageId);
    expect(row).toMatchObject({
      source_id: asker.id,
      data: { text: 'question', source: 'peer_agent' },
      status: 'pending',
    });
    const reply = await send(poller, asker, say('the answer', newId(), { in_reply_to: messageId }));
    expect(reply).toMatchObject({
      status: 200,
      body: { status: 'answered', in_reply_to: messageId, delivered_to: 'caller' },
    });
    const answer = await held;
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ id: messageId, result: { kind: 'message', role: 'agent' } });
    expect(answer.body.result.text).toBe('[A2A_RESULT_FROM_PEER]the answer[/A2A_RESULT_FROM_PEER]');
    expect(await feed(asker)).toEqual([]);
    const [seen] = await feed(poller, 'type=a2a_receive');
    expect(seen).toMatchObject({
      delivery_state: 'answered',
      response_body: { result: { parts: [{ text: 'the answer' }] } },
    });
  });

  it('is found by the activity id of its row as well', async () => {
    const [asker, poller] = await pair();
    const messageId = newId();
    const held = send(asker, poller, say('question', messageId), '30');
    const { id } = await arrival(poller, messageId);
    const reply = await send(poller, asker, say('by row', newId(), { in_reply_to: id }));
    expect(reply.body).toMatchObject({ in_reply_to: messageId, delivered_to: 'caller' });
    expect((await held).body.result.text).toContain('by row');
  });

  it('is 202 after the timeout, and the late answer reaches the feed of the caller', async () => {
    const [asker, poller] = await pair();
    const messageId = newId();
    const queued = await send(asker, poller, say('question', messageId), '0');
    expect(queued).toMatchObject({
      status: 202,
      body: { delivery_mode: 'poll', queue_depth: 1, message_id: messageId },
    });
    const body = say('late', newId(), { in_reply_to: messageId });
    const reply = await send(poller, asker, body);
    expect(reply.body).toMatchObject({ delivered_to: 'feed' });
    const wrapped = '[A2A_RESULT_FROM_PEER]late[/A2A_RESULT_FROM_PEER]';
    const rows = await feed(asker);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      in_reply_to: messageId,
      source_id: poller.id,
      peer_name: 'poller',
      data: { text: wrapped },
      params: { result: wrapped },
    });
    const again = await send(poller, asker, body);
    expect(again.body).toMatchObject({ ...reply.body, duplicate: true });
    expect(await feed(asker)).toHaveLength(1);
    const look = await running.call('GET', `/workspaces/${asker.id}/messages/${messageId}`, {
      token: asker.token,
    });
    expect(look.body).toMatchObject({ state: 'answered', answer: { result: { text: wrapped } } });
  });

  it('returns the answer to people without markers', async () => {
    const [asker, poller] = await pair();
    const messageId = newId();
    await send(asker, poller, say('question', messageId), '0');
    await send(poller, asker, say('for people', newId(), { in_reply_to: messageId }));
    const { body } = await running.call('GET', `/workspaces/${asker.id}/activity`);
    expect(body[0]).toMatchObject({ data: { text: 'for people' }, params: { result: 'for people' } });
  });

  it('is returned to a later request that waits for it', async () => {
    const [asker, poller] = await pair();
    const messageId = newId();
    await send(asker, poller, say('question', messageId), '0');
    const waiting = running.call('GET', `/workspaces/${asker.id}/messages/${messageId}?wait=30`, {
      token: asker.token,
    });
    const reply = await eventually(async () => {
      const { body } = await running.call('GET', `/workspaces/${asker.id}/messages/${messageId}`, {
        token: asker.token,
      });
      return body.state === 'queued' ? body : undefined;
    });
    expect(reply.answer).toBeNull();
    await send(poller, asker, say('now', newId(), { in_reply_to: messageId }));
    expect((await waiting).body).toMatchObject({ state: 'answered', message_id: messageId });
  });

  it('adds the answer to the feed when the waiting caller has disconnected', async () => {
    const [asker, poller] = await pair();
    const messageId = newId();
    const leaving = new AbortController();
    const held = fetch(`${running.platform.url}/workspaces/${poller.id}/a2a`, {
      method: 'POST',
      headers: { authorization: `Bearer ${asker.token}`, 'x-timeout': '30' },
      body: JSON.stringify(say('question', messageId)),
      signal: leaving.signal,
    }).catch(() => 'gone');
    await arrival(poller, messageId);
    leaving.abort();
    expect(await held).toBe('gone');
    await send(poller, asker, say('too late for the call', newId(), { in_reply_to: messageId }));
    const row = await eventually(async () => (await feed(asker))[0]);
    expect(row).toMatchObject({ in_reply_to: messageId });
  });

  it('has one answer: a second, different one counts as a repeat', async () => {
    const [asker, poller] = await pair();
    const messageId = newId();
    await send(asker, poller, say('question', messageId), '0');
    await send(poller, asker, say('one', newId(), { in_reply_to: messageId }));
    const second = await send(poller, asker, say('two', newId(), { in_reply_to: messageId }));
    expect(second).toMatchObject({ status: 200, body: { status: 'answered', duplicate: true } });
    expect(await feed(asker)).toHaveLength(1);
    const found = await running.call('GET', `/workspaces/${asker.id}/messages/${messageId}`, {
      token: asker.token,
    });
    expect(found.body.answer.result.parts[0].text).toContain('one');
  });

  it('does not accept an answer from another workspace', async () => {
    const [asker, poller] = await pair();
    const stranger = await running.join({ name: 'stranger' });
    const messageId = newId();
    await send(asker, poller, say('question', messageId), '0');
    const forged = await send(stranger, asker, say('forged', newId(), { in_reply_to: messageId }));
    expect(forged.status).toBe(202);
    const look = await running.call('GET', `/workspaces/${asker.id}/messages/${messageId}`, {
      token: asker.token,
    });
    expect(look.body.state).toBe('queued');
  });
});

describe('people on the canvas', () => {
  it('are answered by a notify that names their message', async () => {
    const poller = await running.join({ name: 'poller' });
    const messageId = newId();
    const held = send(null, poller, say('hello agent', messageId), '30');
    const row = await arrival(poller, messageId);
    expect(row).toMatchObject({ source_id: null, source: 'canvas_user', data: { source: 'canvas_user' } });
    const body = { message: 'hello human', in_reply_to: messageId };
    const said = await running.call('POST', `/workspaces/${poller.id}/notify`, { token: poller.token, body });
    expect(said.body).toMatchObject({ status: 'sent' });
    expect((await held).body.result.parts).toEqual([{ kind: 'text', type: 'text', text: 'hello human' }]);
    const look = await running.call('GET', `/workspaces/${poller.id}/messages/${messageId}`);
    expect(look.body).toMatchObject({ state: 'answered', caller_id: null, target_id: poller.id });
    expect(await feed(poller)).toMatchObject([{ message_id: messageId, delivery_state: 'answered' }]);
  });
});

describe('who may read the state of a message', () => {
  it('is the caller and the operator only', async () => {
    const [asker, poller] = await pair();
    const messageId = newId();
    await send(asker, poller, say('question', messageId), '0');
    const path = `/workspaces/${asker.id}/messages/${messageId}`;
    expect((await running.call('GET', path)).status).toBe(200);
    expect((await running.call('GET', path, { token: poller.token })).status).toBe(401);
    const own = await running.call('GET', `/workspaces/${poller.id}/messages/${messageId}`, {
      token: poller.token,
    });
    expect(own).toMatchObject({ status: 404, body: { code: 'message_not_found' } });
    for (const wait of ['61', '-1', 'x']) {
      expect(await running.call('GET', `${path}?wait=${wait}`)).toMatchObject({
        status: 400,
        body: { field: 'wait' },
      });
    }
  });
});

describe('wrapping', () => {
  it('can be disabled', async () => {
    const bare = await startPlatform({ wrapPeerResults: false });
    try {
      const asker = await bare.join({ name: 'asker' });
      const poller = await bare.join({ name: 'poller' });
      const messageId = newId();
      const path = `/workspaces/${poller.id}/a2a`;
      await bare.call('POST', path, {
        token: asker.token,
        body: say('q', messageId),
        headers: { 'x-timeout': '0' },
      });
      const reply = say('bare', newId(), { in_reply_to: messageId });
      await bare.call('POST', `/workspaces/${asker.id}/a2a`, { token: poller.token, body: reply });
      const look = await bare.call('GET', `/workspaces/${asker.id}/messages/${messageId}`, {
        token: asker.token,
      });
      expect(look.body.answer.result.parts[0].text).toBe('bare');
      const rows = await bare.call('GET', `/workspaces/${asker.id}/activity`, { token: asker.token });
      expect(rows.body[0].params).toEqual({ result: 'bare' });
    } finally {
      await bare.platform.close();
    }
  });
});
