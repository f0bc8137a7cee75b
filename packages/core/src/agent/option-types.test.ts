import { describe, expect, it } from 'vitest';
import { SELF } from '../../test/agent-ids.ts';
import { AgentClientDouble } from '../../test/agent-stage.ts';
import { RemoteAgentClient } from '../agent/remote-agent-client.ts';
import type { RemoteAgentClientOptions } from '../client/client-context.ts';
import { PollDelivery } from '../inbound/deliveries.ts';
import { type RemoteAgentOptions, resolveRemoteAgentOptions } from './agent-options.ts';
import { createRemoteAgent } from './remote-agent.ts';

type Wrong<Options> = Readonly<Record<keyof Required<Options>, readonly unknown[]>>;

const NOT_A_NUMBER = ['30000', Number.NaN, -1, {}, true];
const NOT_A_TEXT = [7, true, {}, ['x']];
const NOT_A_FUNCTION = ['x', 7, {}];
const NOT_METHODS = ['x', 7, {}, []];

/** Each option, so that a new one does not compile without its wrong values. */
const OF_AGENT: Wrong<RemoteAgentOptions> = {
  client: [undefined, null, ...NOT_METHODS],
  onMessage: [undefined, null, ...NOT_A_FUNCTION],
  delivery: ['pull', 7, null, {}, { run: 'x' }, { run: () => {}, expectedSilenceMs: 'long' }, 1n],
  onPause: ['continue', true, 1n],
  onConflict: ['queue', false],
  concurrency: [0, 1.5, ...NOT_A_NUMBER],
  readAhead: [0, 1, 2.5, ...NOT_A_NUMBER],
  handlerTimeoutMs: [0, 1.5, ...NOT_A_NUMBER],
  stopTimeoutMs: [1.5, ...NOT_A_NUMBER],
  heartbeatIntervalMs: [999, 30_001, ...NOT_A_NUMBER],
  atMostOnce: ['false', 1, null, {}],
  inboundAuth: ['basic', true],
  inboundSecret: ['too short', 7, {}],
  store: [...NOT_METHODS, { load: () => [] }],
  reconnectSpreadMs: [499, 15_001, ...NOT_A_NUMBER],
  probeAfterMs: [59_999, ...NOT_A_NUMBER],
  exitWhenDead: ['x', 5, null, [], { after: 5 }, { afterMs: 9_999 }, { afterMs: '10000' }],
  isolateHeartbeat: ['yes', 1, null, {}],
  maxBlockMs: [999, 86_400_001, ...NOT_A_NUMBER],
  random: NOT_A_FUNCTION,
};

const OF_CLIENT: Wrong<RemoteAgentClientOptions> = {
  platformUrl: ['localhost:8080', '', null, ...NOT_A_TEXT],
  orgId: ['a\nb', null, ...NOT_A_TEXT],
  origin: ['a\nb', ...NOT_A_TEXT],
  requestTimeoutMs: [0, ...NOT_A_NUMBER],
  messageTimeoutMs: [0, ...NOT_A_NUMBER],
  maxRetries: [21, 1.5, ...NOT_A_NUMBER],
  maxRetryAfterMs: NOT_A_NUMBER,
  maxConnections: [0, 65_536, ...NOT_A_NUMBER],
  dispatcher: ['http://proxy', 7, null, {}],
  proxy: ['', 'ftp://proxy', 'socks5://proxy:1080', 'http://p/x', true, null, 7, {}],
  maxResponseBytes: [1_023, ...NOT_A_NUMBER],
  logger: [...NOT_METHODS, { info: () => {} }],
  clock: [...NOT_METHODS, { now: () => 0 }],
  random: NOT_A_FUNCTION,
  workspaceId: ['researcher', '', null, ...NOT_A_TEXT],
  authToken: ['a\nb', ...NOT_A_TEXT],
  adminToken: ['a\nb', null, ...NOT_A_TEXT],
  agentCard: ['researcher', 7, []],
  reportedUrl: ['ftp://agent', null, ...NOT_A_TEXT],
  deliveryMode: ['auto', 'push', true],
  stateDirectory: [null, ...NOT_A_TEXT],
  callTimeoutMs: [0, null, ...NOT_A_NUMBER],
  maxHeldReads: [0, 65_536, 1.5, null, ...NOT_A_NUMBER],
  peerCacheTtlMs: [null, ...NOT_A_NUMBER],
  peerCacheSize: [0, null, ...NOT_A_NUMBER],
  directCalls: ['never', false, null],
  allowPeerNetworks: ['10.0.0.0/8', [7], ['10.0.0.0']],
  onPeerChange: ['ignore', null],
  tokenStore: [...NOT_METHODS, { load: () => '' }],
};

function casesOf(wrong: Readonly<Record<string, readonly unknown[]>>): [string, string, unknown][] {
  return Object.entries(wrong).flatMap(([option, values]) =>
    values.map((value): [string, string, unknown] => [option, typeof value, value]),
  );
}

const refused = (option: string) =>
  expect.objectContaining({
    name: 'ConfigurationError',
    code: 'configuration_invalid',
    message: expect.stringContaining(option),
  });

describe('createRemoteAgent refuses', () => {
  it.each(casesOf(OF_AGENT))('%s, a %s: %o', (option, _type, value) => {
    const client = new AgentClientDouble();
    const auth = option === 'inboundSecret' ? { inboundAuth: 'shared-secret' as const } : {};
    const options = {
      client: client.asClient,
      onMessage: () => '',
      ...auth,
      [option]: value,
    } as RemoteAgentOptions;
    expect(() => createRemoteAgent(options)).toThrow(refused(option));
    expect([client.calls, client.heartbeats, client.reads]).toEqual([[], [], []]);
  });

  it.each([undefined, null, 'x', []])('options that are %o', (options) => {
    expect(() => createRemoteAgent(options as never)).toThrow(refused('options'));
  });

  it('a delivery of its own only when it is wrong', () => {
    const client = new AgentClientDouble();
    const delivery = { name: 'own', expectedSilenceMs: Number.POSITIVE_INFINITY, run: async () => {} };
    for (const each of [delivery, new PollDelivery()])
      expect(createRemoteAgent({ client: client.asClient, onMessage: () => '', delivery: each }).state).toBe(
        'idle',
      );
  });
});

describe('RemoteAgentClient refuses', () => {
  const least = { workspaceId: SELF, platformUrl: 'http://localhost:8080', stateDirectory: '/nowhere' };

  it.each(casesOf(OF_CLIENT))('%s, a %s: %o', (option, _type, value) => {
    let requests = 0;
    const dispatcher = {
      dispatch: () => {
        requests += 1;
        return true;
      },
    };
    const options = { ...least, dispatcher, [option]: value } as RemoteAgentClientOptions;
    expect(() => new RemoteAgentClient(options)).toThrow(refused(option));
    expect(requests).toBe(0);
  });

  it.each([null, 'http://localhost:8080', []])('options that are %o', (options) => {
    expect(() => new RemoteAgentClient(options as never)).toThrow(refused('options'));
  });

  it('says nothing of a secret that is no text', () => {
    const secret = { toString: () => 'planted-secret' };
    const make = () => new RemoteAgentClient({ ...least, authToken: secret as never });
    expect(make).toThrow(/authToken .* must be a text/);
    expect(make).not.toThrow(/planted/);
  });
});

it('exitWhenDead is off unless it is set, and five minutes unless it says how long', () => {
  const client = new AgentClientDouble();
  const read = [undefined, false, true, {}, { afterMs: 10_000 }].map(
    (exitWhenDead) =>
      resolveRemoteAgentOptions({ client: client.asClient, onMessage: () => '', exitWhenDead }).exitAfterMs,
  );
  expect(read).toEqual([null, null, 300_000, 300_000, 10_000]);
});

describe('the hint for', () => {
  const client = new AgentClientDouble();
  it.each([
    [{ isolateHeartbeat: 'yes' }, /=== 'true'/],
    [{ exitWhenDead: { after: 5 } }, /afterMs: 300_000/],
    [{ exitWhenDead: 'x' }, /true for five minutes/],
    [{ maxBlockMs: '30000' }, /Number\(/],
    [{ store: {} }, /MemoryInboundStore/],
    [{ delivery: {} }, /PollDelivery/],
    [{ onPause: 'x' }, /leave onPause out/],
    [{ random: 1 }, /Math.random/],
    [{ onMessage: undefined }, /handler of messages/],
  ])('%o', (options, hint) => {
    const make = () => createRemoteAgent({ client, onMessage: () => '', ...options } as never);
    expect(make).toThrow(expect.objectContaining({ hint: expect.stringMatching(hint) }));
  });
});
