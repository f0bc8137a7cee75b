import { PROBE_REASONS } from '@molecule-ai/protocol';
import { describe, expect, it } from 'vitest';
import { AgentClientDouble, type AgentStage, agentStage } from '../../test/agent-stage.ts';
import { arrivalStage, INBOUND_SECRET } from '../../test/arrival-stage.ts';
import { unreachable } from '../../test/presence-double.ts';
import type { ProbeResult } from '../client/client-port.ts';
import { ConfigurationError } from '../errors/molecule-error.ts';
import { createInboundHandler } from '../inbound-http/inbound-handler.ts';
import { deliveryHint } from './watch.ts';

const YES: ProbeResult = { isReachable: true, reason: null };
const NO: ProbeResult = { isReachable: false, reason: 'connection_refused' };

async function started(
  probes: ProbeResult[],
  capabilities: AgentClientDouble['capabilities'] = new Set(['acknowledge', 'probe']),
  options: Parameters<typeof agentStage>[0] = {},
): Promise<AgentStage> {
  const client = new AgentClientDouble();
  client.reportedUrl = 'https://agent.test/';
  client.capabilities = capabilities;
  client.probes = probes;
  const stage = agentStage(options, client);
  createInboundHandler(stage.agent);
  await stage.agent.start();
  await client.flushPromises();
  return stage;
}

const changes = (stage: AgentStage): string[] => stage.events.filter((event) => event.startsWith('delivery'));

describe('delivery "auto" of an agent with a URL', () => {
  it('is long-poll while the platform does not, and is tried again ever more seldom', async () => {
    const stage = await started([NO]);
    expect([stage.client.modes, changes(stage)]).toEqual([['poll'], ['delivery-changed long-poll']]);
    await stage.client.deliver('row-1');
    expect(stage.client.replies).toEqual(['row-1: echo row-1']);
    const probes = (): number => stage.client.calls.filter((call) => call === 'probe').length;
    expect(probes()).toBe(1);
    await stage.client.clock.advance(1_000_000);
    // After 15, 45, 105, 225, 525 and 825 s.
    expect(probes()).toBe(7);
  });

  it('says once why it is not push, and again when the reason changes', async () => {
    const stage = await started([
      NO,
      NO,
      { isReachable: false, reason: 'wrong_status', status: 404 },
      YES,
      NO,
    ]);
    const { agent, client } = stage;
    const warnings = () =>
      client.logger.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields);
    const REFUSED = { reason: 'connection_refused', hint: expect.stringContaining('Nothing listens there') };
    expect(warnings()).toMatchObject([REFUSED]);
    expect(agent.health()).toMatchObject({ delivery: 'long-poll', deliveryReason: 'connection_refused' });
    await client.clock.advance(15_000);
    expect(warnings()).toHaveLength(1);
    await client.clock.advance(30_000);
    expect(warnings()).toMatchObject([REFUSED, { reason: 'wrong_status', status: 404 }]);
    expect(changes(stage)).toEqual(['delivery-changed long-poll']);
    await client.clock.advance(60_000);
    expect(agent.health()).toMatchObject({ delivery: 'push', deliveryReason: null });
    await client.clock.advance(60_000);
    expect([agent.health().deliveryReason, warnings().length]).toEqual(['connection_refused', 3]);
  });

  it('says so when the platform refuses to probe', async () => {
    const stage = await started([NO]);
    const { agent, client } = stage;
    client.probe = () => Promise.reject(new ConfigurationError('No.'));
    await client.clock.advance(15_000);
    expect(agent.health().deliveryReason).toBe('probe_refused');
  });

  it.each(PROBE_REASONS)('has a hint for %s', (reason) => {
    expect(deliveryHint(reason)).not.toBe(deliveryHint('another word'));
  });

  it('switches both ways; what was on its way is read, and the position is held back until then', async () => {
    const stage = await started([YES, NO, NO, NO, YES]);
    const { client } = stage;
    await client.clock.advance(60_000);
    expect(client.modes).toEqual(['poll', 'push', 'poll']);
    await client.deliver('row-1');
    await client.clock.advance(1_000);
    expect(client.replies).toEqual(['row-1: echo row-1']);
    expect(client.acknowledged).toEqual([]);
    expect(client.reads.at(-1)).toMatchObject({ unacknowledged: true });
    expect(client.reads.at(-1)?.sinceId).toBeUndefined();
    await client.clock.advance(105_000);
    expect(client.modes).toEqual(['poll', 'push', 'poll', 'push']);
    await client.deliver('row-2');
    await client.clock.advance(1_000);
    expect(changes(stage)).toEqual([
      'delivery-changed push',
      'delivery-changed long-poll',
      'delivery-changed push',
    ]);
  });

  it('acknowledges when no push can be under way any more', async () => {
    const stage = await started([YES, NO]);
    await stage.client.clock.advance(60_000);
    await stage.client.deliver('row-1');
    await stage.client.clock.advance(300_000);
    expect(stage.client.acknowledged).toEqual([]);
    await stage.client.clock.advance(60_000);
    expect(stage.client.acknowledged).toEqual(['row-1']);
  });

  it('stays as it is while the platform cannot be asked or registered with', async () => {
    const stage = await started([YES, NO]);
    const { client } = stage;
    client.onRegister = () => {
      throw unreachable();
    };
    await client.clock.advance(60_000);
    expect([stage.agent.health().delivery, changes(stage)]).toEqual(['push', ['delivery-changed push']]);
    client.onRegister = () => ({});
    await client.clock.advance(60_000);
    expect(stage.agent.health().delivery).toBe('long-poll');
    client.probe = () => Promise.reject(unreachable());
    await client.clock.advance(600_000);
    expect(stage.agent.health().delivery).toBe('long-poll');
  });
});

describe('inboundAuth "shared-secret"', () => {
  it('takes the secret that the platform sent, unless one is given', async () => {
    const client = new AgentClientDouble();
    const stage = await arrivalStage({ inboundAuth: 'shared-secret' }, client);
    const warnings = (): string[] =>
      client.logger.messages('warn').filter((line) => line.includes('without a secret'));
    for (const count of [1, 1]) {
      expect((await (await stage.push('row-1')).response).status).toBe(401);
      expect(warnings()).toHaveLength(count);
    }
    client.inboundSecret = INBOUND_SECRET;
    expect((await (await stage.push('row-1')).response).status).toBe(200);
    client.inboundSecret = 'another-secret-of-the-platform';
    expect((await (await stage.push('row-2')).response).status).toBe(401);
  });

  it.each([
    [{ inboundAuth: 'shared-secret', inboundSecret: 'short' }],
    [{ inboundAuth: 'shared-secret', inboundSecret: 'a secret with white space' }],
    [{ inboundAuth: 'peer-tokens', inboundSecret: INBOUND_SECRET }],
    [{ inboundAuth: 'basic' as never }],
  ] as const)('refuses %j', (options) => {
    expect(() => agentStage({ ...options })).toThrow(
      expect.objectContaining({ code: 'configuration_invalid' }),
    );
  });
});
