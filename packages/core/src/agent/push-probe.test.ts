import { describe, expect, it } from 'vitest';
import { AgentClientDouble, type AgentStage, agentStage } from '../../test/agent-stage.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { unreachable } from '../../test/presence-double.ts';
import type { ProbeResult } from '../client/platform-client.ts';
import { createInboundHandler } from '../inbound-http/inbound-handler.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { AgentEventEmitter } from './agent-events.ts';
import { DegradedReasons } from './health.ts';
import { PushProbe } from './push-probe.ts';

const YES: ProbeResult = { isReachable: true, reason: null };
const NO: ProbeResult = { isReachable: false, reason: 'timeout' };
const HOUR = 3_600_000;
const MINUTE = 60_000;

async function started(
  probes: ProbeResult[],
  options: Parameters<typeof agentStage>[0] = {},
): Promise<AgentStage> {
  const client = options.client ?? new AgentClientDouble();
  client.reportedUrl = 'https://agent.test/';
  if (options.client === undefined) client.capabilities = new Set(['acknowledge', 'probe']);
  client.probes = probes;
  const stage = agentStage({ delivery: 'push', random: () => 0, ...options }, client);
  createInboundHandler(stage.agent);
  await stage.agent.start();
  await client.flushPromises();
  return stage;
}

const probesOf = ({ client }: AgentStage): number => client.calls.filter((call) => call === 'probe').length;
const changes = ({ events }: AgentStage): string[] =>
  events.filter((event) => event.includes('inbound-dead'));

describe('an agent that is pushed to, after an hour without a message', () => {
  it('asks the platform, which reaches it: again after an hour', async () => {
    const stage = await started([YES]);
    await stage.client.clock.advance(HOUR - 1);
    expect(probesOf(stage)).toBe(0);
    await stage.client.clock.advance(1);
    expect(probesOf(stage)).toBe(1);
    await stage.client.clock.advance(2 * HOUR);
    expect([probesOf(stage), changes(stage), stage.agent.health().ok]).toEqual([3, [], true]);
    await stage.agent.stop();
    expect(stage.client.clock.pending).toBe(0);
  });

  it('is degraded after two refusals, with one warning that says what was tried, and recovers by itself', async () => {
    const stage = await started([NO, NO, NO, YES]);
    const { agent, client } = stage;
    const errors: unknown[] = [];
    agent.on('degraded', (_reason, error) => errors.push(error));
    await client.clock.advance(HOUR);
    expect([changes(stage), agent.health().ok]).toEqual([[], true]);
    await client.clock.advance(MINUTE);
    expect(changes(stage)).toEqual(['degraded inbound-dead']);
    expect(agent.health()).toMatchObject({ ok: false, degradedReasons: ['inbound-dead'] });
    await client.clock.advance(MINUTE);
    const warnings = client.logger.lines.filter(({ level }) => level === 'warn');
    expect(warnings).toMatchObject([
      { message: expect.stringContaining('No message came for 60 min'), fields: { reason: 'timeout' } },
    ]);
    expect(errors).toMatchObject([{ hint: expect.stringContaining('firewalls') }]);
    await client.clock.advance(MINUTE);
    expect(changes(stage)).toEqual(['degraded inbound-dead', 'recovered inbound-dead']);
    await client.clock.advance(HOUR - 1);
    expect(probesOf(stage)).toBe(4);
  });

  it('one refusal is nothing', async () => {
    const stage = await started([NO, YES]);
    await stage.client.clock.advance(HOUR + 10 * MINUTE);
    expect([changes(stage), probesOf(stage)]).toEqual([[], 2]);
  });

  it('concludes nothing from a platform that cannot be asked', async () => {
    const stage = await started([NO]);
    stage.client.probe = () => Promise.reject(unreachable());
    await stage.client.clock.advance(HOUR + 10 * MINUTE);
    expect([changes(stage), stage.agent.health().ok]).toEqual([[], true]);
  });

  it('asks nothing while the workspace is paused, and counts the time from the resume', async () => {
    const stage = await started([NO]);
    const { client } = stage;
    client.onHeartbeat = () => ({ workspaceStatus: 'paused', paused: true, pending: 0, serverTime: null });
    await client.clock.advance(MINUTE);
    await client.clock.advance(2 * HOUR);
    expect(probesOf(stage)).toBe(0);
    client.onHeartbeat = () => ({ workspaceStatus: 'online', paused: false, pending: 0, serverTime: null });
    await client.clock.advance(MINUTE);
    expect(stage.events).toContain('resumed');
    await client.clock.advance(HOUR - 2 * MINUTE);
    expect(probesOf(stage)).toBe(0);
    await client.clock.advance(5 * MINUTE);
    expect(changes(stage)).toEqual(['degraded inbound-dead']);
  });

  it.each([
    ['a platform that does not probe', { capabilities: new Set(['acknowledge'] as const) }, {}],
    [
      'probeAfterMs null',
      { capabilities: new Set(['acknowledge', 'probe'] as const) },
      { probeAfterMs: null },
    ],
    [
      'another inboundAuth',
      { capabilities: new Set(['acknowledge', 'probe'] as const) },
      { inboundAuth: 'none' as const },
    ],
  ])('asks nothing with %s', async (_name, { capabilities }, options) => {
    const client = new AgentClientDouble();
    client.capabilities = capabilities;
    const stage = await started([NO], { client, ...options });
    await client.clock.advance(3 * HOUR);
    expect([probesOf(stage), changes(stage)]).toEqual([0, []]);
  });
});

it('a push starts the time again, and ends the suspicion', async () => {
  const clock = new ManualClock();
  const events = new AgentEventEmitter(() => {});
  const degraded = new DegradedReasons(events);
  const asked: number[] = [];
  const probe = new PushProbe({
    clock,
    logger: recordingLogger(),
    random: () => 0,
    events,
    degraded,
    afterMs: HOUR,
    isOffered: () => true,
    probe: async () => {
      asked.push(clock.monotonic());
      return NO;
    },
  });
  events.emit('started');
  await clock.advance(HOUR - 1);
  probe.pushed();
  await clock.advance(HOUR - 1);
  expect(asked).toEqual([]);
  await clock.advance(1 + MINUTE);
  expect(degraded.list()).toEqual(['inbound-dead']);
  events.emit('paused');
  await clock.advance(HOUR);
  expect(asked).toHaveLength(2);
  events.emit('resumed');
  await clock.advance(0);
  expect([asked.length, degraded.list()]).toEqual([3, ['inbound-dead']]);
  probe.pushed();
  expect(degraded.list()).toEqual([]);
  await clock.advance(HOUR - 1);
  expect(asked).toHaveLength(3);
  events.end();
  expect(clock.pending).toBe(0);
});
