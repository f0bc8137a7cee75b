import { describe, expect, it } from 'vitest';
import { agentStage, Gate, runningAgent } from '../../test/agent-stage.ts';
import type { DeliveryContext, InboundDelivery } from '../inbound/sources/message-source.ts';

const MINUTE_MS = 60_000;

describe('a handler that does not end', () => {
  it('while messages wait for it: degraded after a minute, and recovered when it ends', async () => {
    const gate = new Gate();
    const { client, agent, events } = await runningAgent({ onMessage: gate.handler });
    await client.deliver('m1', 'm2');
    await client.clock.advance(MINUTE_MS - 1);
    expect(agent.health().ok).toBe(true);
    await client.clock.advance(1);
    expect(agent.health()).toMatchObject({ ok: false, degradedReasons: ['handlers-blocked'] });
    await client.clock.advance(8 * MINUTE_MS);
    expect(events.filter((event) => event.startsWith('degraded'))).toEqual(['degraded handlers-blocked']);
    expect(client.logger.messages('warn')).toHaveLength(1);
    gate.open();
    await client.flushPromises();
    expect(agent.health()).toMatchObject({ ok: true, inFlight: 1 });
    expect(events.filter((event) => event.startsWith('recovered'))).toEqual(['recovered handlers-blocked']);
    gate.open();
    await client.flushPromises();
    await agent.stop();
    expect(client.clock.pending).toBe(0);
  });

  it('while no message waits: not reported until one does', async () => {
    const gate = new Gate();
    const { client, agent } = await runningAgent({ onMessage: gate.handler, handlerTimeoutMs: null });
    await client.deliver('m1');
    await client.clock.advance(60 * MINUTE_MS);
    expect(agent.health().ok).toBe(true);
    await client.deliver('m2');
    await client.clock.advance(MINUTE_MS);
    expect(agent.health().degradedReasons).toEqual(['handlers-blocked']);
    const stopping = agent.stop({ timeoutMs: 0 });
    await client.clock.advance(0);
    await stopping;
    expect(client.clock.pending).toBe(0);
  });

  it('is reported while other conversations continue', async () => {
    const gate = new Gate();
    const { client, agent } = await runningAgent({
      concurrency: 2,
      onMessage: (message, context) =>
        message.contextId === 'hung' ? gate.handler(message, context) : undefined,
    });
    await client.deliverAs('hung', 'h1', 'h2');
    for (let minute = 0; minute < 3; minute += 1) {
      await client.deliver(`m${minute}`);
      await client.clock.advance(MINUTE_MS);
    }
    expect(agent.health()).toMatchObject({ degradedReasons: ['handlers-blocked'], unfinished: 2 });
    const stopping = agent.stop({ timeoutMs: 0 });
    await client.clock.advance(0);
    await stopping;
  });
});

describe('a pause', () => {
  it('with a delivery that ignores its signal: receives again after the resume', async () => {
    let runs = 0;
    const stubborn: InboundDelivery = {
      name: 'stubborn',
      expectedSilenceMs: MINUTE_MS,
      run: async ({ inbox, client: platform }: DeliveryContext) => {
        runs += 1;
        inbox.acceptPage(await platform.fetchInboundPage({}));
        await new Promise(() => {});
      },
    };
    const { client, agent } = await runningAgent({ delivery: stubborn });
    client.comeBack({ paused: true });
    await client.clock.advance(30_000);
    client.comeBack();
    await client.clock.advance(MINUTE_MS);
    expect([agent.state, runs]).toEqual(['running', 2]);
    await client.deliver('m1');
    const stopping = agent.stop();
    await client.clock.advance(MINUTE_MS);
    await stopping;
  });

  it('at the start delays the started event', async () => {
    const { client, agent } = agentStage();
    let started = 0;
    agent.on('started', () => {
      started += 1;
    });
    client.comeBack({ paused: true });
    await agent.start();
    expect(started).toBe(0);
    client.comeBack();
    await client.clock.advance(30_000);
    await client.flushPromises();
    client.comeBack({ paused: true });
    await client.clock.advance(30_000);
    client.comeBack();
    await client.clock.advance(30_000);
    await client.flushPromises();
    expect([agent.state, started]).toEqual(['running', 1]);
    await agent.stop();
  });
});
