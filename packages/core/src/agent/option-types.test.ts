import { describe, expect, it } from 'vitest';
import { SELF } from '../../test/agent-ids.ts';
import { AgentClientDouble } from '../../test/agent-stage.ts';
import { RemoteAgentClient } from '../agent/remote-agent-client.ts';
import { PollDelivery } from '../inbound/deliveries.ts';
import type { RemoteAgentClientOptions } from '../settings/client-settings.ts';
import { type RemoteAgentOptions, resolveRemoteAgentOptions } from './agent-options.ts';
import { createRemoteAgent } from './remote-agent.ts';

type Group = 'connection' | 'storage' | 'limits' | 'presence' | 'retry';

/** Wrong values of each option, so that a new one does not compile without them. */
type Wrong<Options> = {
  readonly [Name in keyof Required<Options>]: Name extends Group
    ? Wrong<NonNullable<Options[Name]>>
    : readonly unknown[];
};

/** By option, such as `limits.maxRetries`. */
interface WrongValues {
  readonly [name: string]: readonly unknown[] | WrongValues;
}

const NOT_A_NUMBER = ['30000', Number.NaN, -1, {}, true];
const NOT_A_TEXT = [7, true, {}, ['x']];
const NOT_A_FUNCTION = ['x', 7, {}];
const NOT_METHODS = ['x', 7, {}, []];

const OF_AGENT: Wrong<RemoteAgentOptions> = {
  client: [undefined, null, ...NOT_METHODS],
  onMessage: [undefined, null, ...NOT_A_FUNCTION],
  skills: [null, 'x', 7, {}, [7], [{ skill: 'x', handle: () => {} }], [{ skill: { id: 'x' } }]],
  onAnswer: [null, ...NOT_A_FUNCTION],
  delivery: ['pull', 7, null, {}, { run: 'x' }, { run: () => {}, expectedSilenceMs: 'long' }, 1n],
  onPause: ['continue', true, 1n],
  concurrency: [0, 1.5, ...NOT_A_NUMBER],
  atMostOnce: ['false', 1, null, {}],
  inboundAuth: ['basic', true, null, {}, { sharedSecret: 'too short' }, { sharedSecret: 7 }, { secret: 'x' }],
  store: [...NOT_METHODS, { load: () => [] }],
  limits: {
    readAhead: [0, 1, 2.5, ...NOT_A_NUMBER],
    handlerTimeoutMs: [0, 1.5, ...NOT_A_NUMBER],
    stopTimeoutMs: [1.5, ...NOT_A_NUMBER],
  },
  retry: {
    attempts: [0, 1.5, 101, ...NOT_A_NUMBER],
    delayMs: NOT_A_NUMBER,
    maxDelayMs: [86_400_001, ...NOT_A_NUMBER],
  },
  presence: {
    heartbeatIntervalMs: [999, 30_001, ...NOT_A_NUMBER],
    isolateHeartbeat: [
      'yes',
      1,
      null,
      [],
      { maxBlock: 5 },
      ...[999, 86_400_001, ...NOT_A_NUMBER].map((maxBlockMs) => ({ maxBlockMs })),
    ],
    reconnectSpreadMs: [499, 15_001, ...NOT_A_NUMBER],
    probeAfterMs: [59_999, ...NOT_A_NUMBER],
    exitWhenDead: ['x', 9_999, Number.NaN, null, [], { afterMs: 10_000 }],
    onConflict: ['queue', false],
  },
};

const OF_CLIENT: Wrong<RemoteAgentClientOptions> = {
  platformUrl: ['localhost:8080', '', null, ...NOT_A_TEXT],
  orgId: ['a\nb', null, ...NOT_A_TEXT],
  origin: ['a\nb', ...NOT_A_TEXT],
  logger: [...NOT_METHODS, { info: () => {} }],
  workspaceId: ['researcher', '', null, ...NOT_A_TEXT],
  authToken: ['a\nb', ...NOT_A_TEXT],
  adminToken: ['a\nb', null, ...NOT_A_TEXT],
  agentCard: ['researcher', 7, []],
  reportedUrl: ['ftp://agent', null, ...NOT_A_TEXT],
  deliveryMode: ['auto', 'push', true],
  connection: {
    dispatcher: ['http://proxy', 7, null, {}],
    proxy: ['', 'ftp://proxy', 'socks5://proxy:1080', 'http://p/x', true, null, 7, {}],
    directCalls: ['never', false, null],
    allowPeerNetworks: ['10.0.0.0/8', [7], ['10.0.0.0']],
    onPeerChange: ['ignore', null],
    clock: [...NOT_METHODS, { now: () => 0 }],
    random: NOT_A_FUNCTION,
  },
  storage: {
    directory: [null, ...NOT_A_TEXT],
    tokenStore: [...NOT_METHODS, { load: () => '' }],
  },
  limits: {
    requestTimeoutMs: [0, ...NOT_A_NUMBER],
    messageTimeoutMs: [0, ...NOT_A_NUMBER],
    maxRetries: [21, 1.5, ...NOT_A_NUMBER],
    maxRetryAfterMs: NOT_A_NUMBER,
    maxConnections: [0, 65_536, ...NOT_A_NUMBER],
    maxResponseBytes: [1_023, ...NOT_A_NUMBER],
    callTimeoutMs: [0, null, ...NOT_A_NUMBER],
    maxHeldReads: [0, 65_536, 1.5, null, ...NOT_A_NUMBER],
    peerCacheTtlMs: [null, ...NOT_A_NUMBER],
    peerCacheSize: [0, null, ...NOT_A_NUMBER],
  },
};

function casesOf(wrong: WrongValues, group = ''): [name: string, type: string, value: unknown][] {
  return Object.entries(wrong).flatMap(([name, values]) => {
    if (!Array.isArray(values)) return casesOf(values as WrongValues, `${name}.`);
    return values.map((value): [string, string, unknown] => [`${group}${name}`, typeof value, value]);
  });
}

/** Options with one more, by its name, such as `limits.maxRetries`. */
function withOption<Options extends object>(options: Options, name: string, value: unknown): Options {
  const [first = '', second] = name.split('.');
  const { [first as keyof Options]: group } = options;
  return { ...options, [first]: second === undefined ? value : { ...group, [second]: value } };
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
    const options: RemoteAgentOptions = withOption(
      { client: client.asClient, onMessage: () => '' },
      option,
      value,
    );
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
  const least = {
    workspaceId: SELF,
    platformUrl: 'http://localhost:8080',
    storage: { directory: '/nowhere' },
  };

  it.each(casesOf(OF_CLIENT))('%s, a %s: %o', (option, _type, value) => {
    let requests = 0;
    const dispatcher = {
      dispatch: () => {
        requests += 1;
        return true;
      },
    };
    const options = withOption({ ...least, connection: { dispatcher } }, option, value);
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
  const read = [undefined, false, true, 10_000].map(
    (exitWhenDead) =>
      resolveRemoteAgentOptions({ client: client.asClient, onMessage: () => '', presence: { exitWhenDead } })
        .exitAfterMs,
  );
  expect(read).toEqual([null, null, 300_000, 10_000]);
});

it('isolateHeartbeat is on unless it is false, and blocked for five minutes unless it says how long', () => {
  const client = new AgentClientDouble();
  const read = [undefined, true, {}, { maxBlockMs: 1_000 }, false].map(
    (isolateHeartbeat) =>
      resolveRemoteAgentOptions({
        client: client.asClient,
        onMessage: () => '',
        presence: { isolateHeartbeat },
      }).isolateHeartbeat,
  );
  expect(read).toEqual([300_000, 300_000, 300_000, 1_000, null]);
});

describe('the hint for', () => {
  const client = new AgentClientDouble();
  it.each([
    [{ presence: { isolateHeartbeat: 'yes' } }, /=== 'true'/],
    [
      { presence: { isolateHeartbeat: { maxBlock: 1 } } },
      /^Did you mean presence\.isolateHeartbeat\.maxBlockMs\?$/,
    ],
    [{ maxBlockMs: 30_000 }, /^Did you mean presence\.isolateHeartbeat\.maxBlockMs\?$/],
    [{ presence: { exitWhenDead: 'x' } }, /true for five minutes/],
    [{ presence: { isolateHeartbeat: { maxBlockMs: '30000' } } }, /Number\(/],
    [{ presence: 'x' }, /such as \{ heartbeatIntervalMs, isolateHeartbeat \}/],
    [{ stopTimeoutMs: 5 }, /^Did you mean limits\.stopTimeoutMs\?$/],
    [{ store: {} }, /MemoryInboundStore/],
    [{ delivery: {} }, /PollDelivery/],
    [{ onPause: 'x' }, /leave it out/],
    [{ onMessage: undefined }, /handler of messages/],
  ])('%o', (options, hint) => {
    const make = () => createRemoteAgent({ client, onMessage: () => '', ...options } as never);
    expect(make).toThrow(expect.objectContaining({ hint: expect.stringMatching(hint) }));
  });
});

it('names all options that are wrong, and those of a wrong group by the right one', () => {
  const client = { workspaceId: SELF, platformUrl: 'http://localhost:8080' };
  expect(
    () => new RemoteAgentClient({ ...client, orgId: 'a\nb', limits: { maxRetries: 'x' as never } }),
  ).toThrow(
    /^orgId \(or .*\) must be printable .* limits\.maxRetries must be an integer from 0 to 20, got "x"\.$/,
  );
  for (const [options, hint] of [
    [{ maxRetries: 1 }, 'Did you mean limits.maxRetries?'],
    [{ stateDirectory: '/x' }, 'Did you mean storage.directory?'],
    [{ limits: { workspaceId: SELF } }, 'Did you mean workspaceId?'],
    [{ connection: { dispatch: {} } }, 'Did you mean connection.dispatcher?'],
    [
      { limits: { quux: 1 } },
      expect.stringMatching(/^Its options are callTimeoutMs, maxConnections, .*, requestTimeoutMs\.$/),
    ],
  ] as const) {
    expect(() => new RemoteAgentClient({ ...client, ...options } as never)).toThrow(
      expect.objectContaining({ hint }),
    );
  }
});
