import { describe, expect, it } from 'vitest';
import { AgentClientDouble, type AgentStage, agentStage, runningAgent } from '../../test/agent-stage.ts';
import { unreachable } from '../../test/presence-double.ts';
import type { ProbeResult } from '../client/client-port.ts';
import { createInboundHandler } from '../inbound-http/inbound-handler.ts';

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
  client.random = () => 0;
  const stage = agentStage({ delivery: 'push', ...options }, client);
  createInboundHandler(stage.agent);
  await stage.agent.start();
  await client.flushPromises();
  return stage;
}

const probesOf = ({ client }: AgentStage): number => client.calls.filter((call) => call === 'probe').length;
const changes = ({ events }: AgentStage): string[] =>
  events.filter((event) => event.includes('inbound-dead'));

describe('an agent that is pushed to, after an hour without a message', () => {
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
});

it('an agent without room for messages is not stale because it does not read', async () => {
  const handled: string[] = [];
  const onMessage = ({ id }: { id: string }): Promise<string> => {
    handled.push(id);
    return new Promise(() => {});
  };
  const { client, events } = await runningAgent({
    limits: { readAhead: 1, handlerTimeoutMs: null },
    onMessage,
  });
  await client.deliver('row-1', 'row-2');
  await client.clock.advance(600_000);
  expect(handled).toEqual(['row-1']);
  expect(events).not.toContain('degraded inbound-stale');
});
