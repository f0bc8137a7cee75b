import {
  A2AServer,
  createRemoteAgent,
  defineSkill,
  handleSkill,
  type JsonValue,
  MessageFailure,
} from '@molecule-ai/core';
import { recordingLogger } from '@molecule-ai/core/testing';
import { expect, expectTypeOf, vi } from 'vitest';
import * as z from 'zod';
import { stageDirect } from './harness/direct-stage.ts';
import { freePort } from './harness/killable-push-agent.ts';
import { onboard } from './harness/members.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const order = defineSkill({
  id: 'order',
  name: 'Order',
  description: 'Takes an order.',
  input: z.object({
    item: z.string(),
    count: z.int().min(1),
    due: z.iso
      .datetime()
      .transform((text) => new Date(text))
      .optional(),
  }),
  output: z.object({ number: z.string(), at: z.iso.datetime().transform((text) => new Date(text)) }),
});

/** Formats of a library have patterns of the library. */
const formats = z.object({ mail: z.email(), url: z.url(), id: z.uuid(), at: z.iso.datetime() });

async function stage(environment: TestEnvironment, mode: 'dev' | 'production' = 'production') {
  const platform = await environment.platform({ mode, server: { contractCheck: 'all' } });
  const [desk, asker] = [await onboard(platform), await onboard(platform)];
  return {
    platform,
    desk,
    asker,
    client: environment.client(platform, asker),
    deskClient: environment.client(platform, desk),
  };
}

onEachDatabase('skills', (environment) => {
  verifies('data.messages', 'data of messages and answers', async () => {
    const { desk, client, deskClient } = await stage(environment);
    const seen: unknown[] = [];
    const agent = createRemoteAgent({
      client: deskClient,
      onMessage: ({ text, data }) => {
        seen.push([text, data]);
        return data === undefined
          ? 'no data'
          : { data: { got: data }, text: text === '' ? undefined : `said ${text}` };
      },
    });
    environment.onCleanup(() => agent.stop());
    await agent.start();
    const values = [{ a: [1, null, { b: 'ü' }] }, [], 'text', 0, false, null, { ['__proto__']: 1 }];
    for (const data of values) {
      const reply = await client.callPeer(desk.id, { data });
      expect(reply).toMatchObject({ status: 'answered', text: '' });
      expect(JSON.stringify(reply.data)).toBe(JSON.stringify({ got: data }));
    }
    const both = await client.callPeer(desk.id, { text: 'hello', data: { x: 1 } });
    expect([both.text, both.data]).toEqual(['said hello', { got: { x: 1 } }]);
    expect((await client.callPeer(desk.id, 'only text')).data).toBeUndefined();
    expect(seen.at(-2)).toEqual(['hello', { x: 1 }]);
    expect(seen.at(-1)).toEqual(['only text', undefined]);
  });

  verifies('data.skills', 'formats of a library', async () => {
    const contact = defineSkill({ id: 'contact', input: formats });
    expect(await contact.input.check({ mail: 'x' })).toEqual({
      problem: expect.stringContaining('data.mail: '),
    });
  });

  verifies(['data.skills', 'data.skill-failures'], 'a typed skill', async () => {
    const { platform, desk, client, deskClient } = await stage(environment);
    const handled: unknown[] = [];
    const takeOrder = handleSkill(order, ({ data }) => {
      expectTypeOf(data).toEqualTypeOf<{ item: string; count: number; due?: Date | undefined }>();
      handled.push(data);
      if (data.item === 'nothing') return { data: { number: 7, at: 'never' } as never };
      if (data.item === 'none left') throw new MessageFailure('None left.', { code: 'sold_out' });
      return { data: { number: `${data.item}-${data.count}`, at: '2026-01-02T03:04:05Z' }, text: 'Done.' };
    });
    const agent = createRemoteAgent({ client: deskClient, skills: [takeOrder], onMessage: () => 'no skill' });
    environment.onCleanup(() => agent.stop());
    await agent.start();

    const reply = await client.callPeer(desk.id, {
      skill: order,
      data: { item: 'tea', count: 2, due: '2026-02-02T00:00:00Z' },
    });
    expectTypeOf(reply.data).toEqualTypeOf<{ number: string; at: Date } | undefined>();
    expect(reply).toMatchObject({
      status: 'answered',
      text: 'Done.',
      data: { number: 'tea-2', at: new Date('2026-01-02T03:04:05Z') },
    });
    expect(handled).toEqual([{ item: 'tea', count: 2, due: new Date('2026-02-02T00:00:00Z') }]);
    await expect(
      client.callPeer(desk.id, { skill: order, data: { item: 'tea', count: 0 } }),
    ).rejects.toMatchObject({ code: 'invalid_argument', message: expect.stringContaining('data.count: ') });

    const untyped = await client.callPeer(desk.id, { skill: 'order', data: { item: 'tea', count: 1 } });
    expect(untyped.data).toEqual({ number: 'tea-1', at: '2026-01-02T03:04:05Z' });
    const invalid = await client.callPeer(desk.id, { skill: 'order', data: { item: 3, count: 'x' } });
    expect(invalid).toMatchObject({
      status: 'failed',
      code: 'invalid_data',
      text: expect.stringMatching(/"order"\. data\.item: .*data\.count: /),
    });
    expect(await client.callPeer(desk.id, { skill: 'order', text: 'tea please' })).toMatchObject({
      code: 'invalid_data',
    });
    expect(await client.callPeer(desk.id, { skill: 'paint', data: {} })).toMatchObject({
      status: 'failed',
      code: 'unknown_skill',
      text: expect.stringContaining('the skills order'),
    });
    expect(
      await client.callPeer(desk.id, { skill: 'order', data: { item: 'nothing', count: 1 } }),
    ).toMatchObject({ status: 'failed', code: 'agent_answer_invalid' });
    expect(
      await client.callPeer(desk.id, { skill: 'order', data: { item: 'none left', count: 1 } }),
    ).toMatchObject({ code: 'sold_out' });
    expect((await client.callPeer(desk.id, 'hello')).text).toBe('no skill');
    const { body } = await platform.operator.get(`/workspaces/${desk.id}`);
    expect(JSON.stringify(body)).toContain('skill-schemas/v1');
  });

  verifies('data.messages', 'of people, of streams, and of messages that are answered later', async () => {
    const { platform, desk, client, deskClient } = await stage(environment);
    const queued = await client.sendToPeer(desk.id, { data: { n: 1 } });
    const agent = createRemoteAgent({
      client: deskClient,
      onMessage: ({ data }) => ({ data: { got: data ?? null } }),
    });
    environment.onCleanup(() => agent.stop());
    await agent.start();
    expect((await client.waitForAnswer(queued.messageId)).data).toEqual({ got: { n: 1 } });
    const stream = client.streamPeer(desk.id, { data: [2] });
    for await (const piece of stream) void piece;
    expect((await stream.reply()).data).toEqual({ got: [2] });
    const operator = environment.operator(platform);
    const reply = await operator.sendMessage(desk.id, { data: 'three' });
    expect([reply.status, reply.data]).toEqual(['answered', { got: 'three' }]);
  });

  verifies('data.messages', 'pushed, and as another client of A2A reads it', async () => {
    const { platform, asker, client } = await stage(environment, 'dev');
    const pushed = await onboard(platform);
    const port = await freePort();
    const reportedUrl = `http://127.0.0.1:${port}`;
    const agent = createRemoteAgent({
      client: environment.client(platform, pushed, { reportedUrl }),
      delivery: 'push',
      onMessage: ({ data }) => ({ data: data ?? null }),
    });
    const server = new A2AServer({ agent, port });
    environment.onCleanup(() => server.stop());
    environment.onCleanup(() => agent.stop());
    await server.start();
    await agent.start();
    // What imitates a marker, or an escaped one, comes back as it was sent.
    const marker = '[A2A_RESULT_FROM_PEER]';
    for (const text of [`${marker}hi`, '[/A2A_RESULT_FROM_PEER]', '[\\A2A_RESULT_FROM_PEER]', `[${marker}`]) {
      const data = { text, [text]: [text] };
      expect((await client.callPeer(pushed.id, { data })).data).toEqual(data);
    }
    const { messageId } = await client.callPeer(pushed.id, { data: { a: 1 } }, { via: 'proxy' });
    const task = { jsonrpc: '2.0', id: 1, method: 'tasks/get', params: { id: messageId } };
    const { text } = await asker.caller.post(`/workspaces/${pushed.id}/a2a`, task);
    expect(JSON.parse(text).result.artifacts[0].parts).toEqual([
      { kind: 'data', type: 'data', data: { a: 1 } },
    ]);
  });

  verifies('data.messages', 'directly to the server of a peer', async () => {
    const { client, peerId, peer } = await stageDirect(environment, {
      script: ({ body }) => {
        const { id, params } = body as { id: string; params: { message: { parts: object[] } } };
        const result = { kind: 'message', role: 'agent', messageId: 'm', parts: params.message.parts };
        return { kind: 'json', body: { jsonrpc: '2.0', id, result } };
      },
    });
    const reply = await client.callPeer(peerId, { text: 'hello', data: { a: [1] } });
    expect([reply.via, reply.text, reply.data]).toEqual(['direct', 'hello', { a: [1] }]);
    expect(peer.requests).toHaveLength(1);
  });

  verifies('data.limits', async () => {
    const { desk, client } = await stage(environment);
    const nested = (levels: number): JsonValue => (levels === 0 ? 1 : [nested(levels - 1)]);
    const circle: Record<string, unknown> = {};
    circle.circle = circle;
    const refused: [unknown, object][] = [
      ['x'.repeat(1_048_577), { code: 'payload_too_large' }],
      [nested(65), { code: 'request_rejected', platformCode: 'invalid_message' }],
      [new Array(50_001).fill(0), { code: 'request_rejected', platformCode: 'invalid_message' }],
      ...[
        circle,
        10n,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        new Date(),
        () => 1,
        Symbol('x'),
        nested(300),
      ].map((data): [unknown, object] => [
        data,
        { code: 'invalid_argument', message: expect.stringContaining('`data` must be JSON') },
      ]),
    ];
    for (const [data, error] of refused) {
      await expect(
        client.callPeer(desk.id, { data: data as JsonValue }),
        String(data).slice(0, 20),
      ).rejects.toMatchObject(error);
    }
    for (const content of [
      {},
      { data: undefined },
      { text: ' ' },
      { text: 7 },
      { txt: 'x' },
      null,
      7,
      [],
      { skill: '', data: 1 },
      { skill: {}, data: 1 },
    ]) {
      await expect(client.callPeer(desk.id, content as never), JSON.stringify(content)).rejects.toMatchObject(
        { code: 'invalid_argument' },
      );
    }
    expect((await client.listMessages()).messages).toEqual([]);
    const dropped = await client.sendToPeer(desk.id, { data: { a: undefined as never, b: 1 } });
    expect(dropped.status).toBe('queued');
  });

  verifies('data.card', async () => {
    const { desk, client, deskClient } = await stage(environment);
    const handler = handleSkill(order, () => ({ data: { number: '1', at: '2026-01-02T03:04:05Z' } }));
    const agent = createRemoteAgent({ client: deskClient, skills: [handler] });
    await agent.start();
    await deskClient.updateCard({ name: 'renamed' });
    const [peer] = (await client.getPeers()).filter(({ id }) => id === desk.id);
    expect(peer?.agentCard).toMatchObject({
      name: 'renamed',
      skills: [{ id: 'order', name: 'Order', description: 'Takes an order.' }],
      capabilities: {
        extensions: [
          {
            uri: 'https://molecule.ai/a2a/skill-schemas/v1',
            params: { skills: { order: { input: order.input.schema, output: order.output.schema } } },
          },
        ],
      },
    });
    expect(order.input.schema).toMatchObject({ type: 'object', required: ['item', 'count'] });
    // It has no handler for what names no skill.
    expect(await client.callPeer(desk.id, 'hello')).toMatchObject({
      status: 'failed',
      code: 'unknown_skill',
    });
    await agent.stop();

    const many = Array.from({ length: 1_000 }, (_, at) =>
      handleSkill(defineSkill({ id: `skill-${at}`, input: formats }), () => 'x'),
    );
    const large = createRemoteAgent({ client: deskClient, skills: many });
    await expect(large.start()).rejects.toMatchObject({ status: 413 });
    await large.stop();
    expect(() => createRemoteAgent({ client: deskClient, skills: [handler, handler] })).toThrow(
      'two skills with the id "order"',
    );
  });

  verifies('data.other-schema', async () => {
    const { platform, desk, asker, deskClient } = await stage(environment);
    const logger = recordingLogger();
    const client = environment.client(platform, asker, { logger });
    const older = defineSkill({
      id: 'order',
      input: z.object({ item: z.string() }),
      output: order.output.source,
    });
    const queued = await client.sendToPeer(desk.id, { skill: older, data: { item: 'tea' } });
    const handled: unknown[] = [];
    const handler = handleSkill(order, ({ data }) => {
      handled.push(data);
      return { data: { number: '1', at: '2026-01-02T03:04:05Z' } };
    });
    const agent = createRemoteAgent({ client: deskClient, skills: [handler] });
    environment.onCleanup(() => agent.stop());
    await agent.start();
    expect(await client.waitForAnswer(queued.messageId)).toMatchObject({
      status: 'failed',
      code: 'invalid_data',
    });
    expect(await client.callPeer(desk.id, { skill: older, data: { item: 'tea' } })).toMatchObject({
      code: 'invalid_data',
    });
    await vi.waitFor(() =>
      expect(logger.find('describes a skill differently', 'warn')?.fields).toMatchObject({
        skill: 'order',
        peerId: desk.id,
      }),
    );
    expect(handled).toEqual([]);
    const strict = defineSkill({
      id: 'order',
      input: order.input.source,
      output: z.object({ price: z.number() }),
    });
    const reply = await client.callPeer(desk.id, { skill: strict, data: { item: 'tea', count: 1 } });
    expect(reply).toMatchObject({
      status: 'failed',
      code: 'agent_answer_invalid',
      data: undefined,
      text: expect.stringContaining('data.price'),
    });
    expect(handled).toHaveLength(1);
  });
});
