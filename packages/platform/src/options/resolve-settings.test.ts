import { describe, expect, it } from 'vitest';
import { silentLogger } from '../logging/logger.ts';
import { systemClock } from '../time/clock.ts';
import type { Environment } from './option-reader.ts';
import type { PlatformOptions } from './platform-options.ts';
import { PlatformOptionsError } from './platform-options-error.ts';
import { resolveSettings } from './resolve-settings.ts';

const KEY = 'operator-key-123';
const IN_MEMORY = { directory: ':memory:' };
const SECURE: PlatformOptions = {
  security: { operatorKey: KEY, secretsEncryptionKey: 'k'.repeat(32) },
  data: IN_MEMORY,
};

function problemsOf(options: PlatformOptions, environment: Environment = {}): string[] {
  try {
    resolveSettings(options, environment);
    return [];
  } catch (error) {
    if (!(error instanceof PlatformOptionsError)) throw error;
    return error.problems.map(({ option, variable }) => `${option} (${variable})`);
  }
}

const limitsOf = (options: PlatformOptions, environment: Environment) =>
  resolveSettings(options, environment).limits;

describe('resolving the settings', () => {
  it('has a documented default for everything else', () => {
    const settings = resolveSettings(SECURE, {});
    expect(settings).toEqual({
      mode: 'production',
      logger: silentLogger,
      clock: systemClock,
      server: { host: '127.0.0.1', port: 8080, corsOrigins: [], stopTimeoutMs: 10_000, contractCheck: 'off' },
      data: {
        directory: ':memory:',
        synchronous: 'full',
        minFreeSpace: 67_108_864,
        activityRetentionDays: 7,
        eventLimit: 1_000_000,
        finishedBytes: 1_073_741_824,
      },
      limits: {
        rateLimit: 600,
        presenceRate: 600,
        progressRate: 3_000,
        pairRate: 120,
        inboxLimit: 10_000,
        inboxBytes: 268_435_456,
        workspaceQuota: 1_073_741_824,
        messageTtlMs: 604_800_000,
        questionTtlMs: 86_400_000,
        answerHoldSeconds: 25,
        maxHops: 8,
        maxTurns: 500,
        maxAttempts: 5,
        pushTimeoutMs: 300_000,
        livenessStaleAfterMs: 90_000,
      },
      security: {
        operatorKey: KEY,
        secretsEncryptionKey: 'k'.repeat(32),
        allowAgentNetworks: [],
        wrapPeerResults: true,
        hierarchy: 'direct',
        claimWindowMs: 900_000,
      },
    });
    expect(settings.clock).toBe(systemClock);
    for (const value of [settings, settings.server, settings.data, settings.limits, settings.security]) {
      expect(Object.isFrozen(value)).toBe(true);
    }
  });

  it('is in dev mode by option, or by MOLECULE_ENV unless there is an ADMIN_TOKEN', () => {
    const modeOf = (options: PlatformOptions, environment: Environment) =>
      resolveSettings(
        { data: IN_MEMORY, ...options },
        { SECRETS_ENCRYPTION_KEY: 'k'.repeat(32), ...environment },
      ).mode;
    expect(modeOf({ mode: 'dev' }, {})).toBe('dev');
    expect(modeOf({}, { MOLECULE_ENV: 'development' })).toBe('dev');
    expect(modeOf({}, { MOLECULE_ENV: 'Development', ADMIN_TOKEN: KEY })).toBe('production');
    expect(modeOf({ security: { operatorKey: KEY } }, { MOLECULE_ENV: 'dev' })).toBe('production');
  });

  it('restricts dev mode to this machine', () => {
    expect(problemsOf({ mode: 'dev', data: IN_MEMORY, server: { host: '0.0.0.0' } })).toEqual([
      'server.host (HOST)',
    ]);
    expect(problemsOf({ mode: 'dev', data: IN_MEMORY }, { HOST: '192.168.1.5' })).toEqual([
      'server.host (HOST)',
    ]);
    for (const host of ['127.0.0.1', '127.0.0.2', '::1', '[::1]', 'localhost']) {
      expect(problemsOf({ mode: 'dev', data: IN_MEMORY, server: { host } })).toEqual([]);
    }
  });

  it('reads the environment, and prefers an option', () => {
    const environment = {
      PORT: '9000',
      RATE_LIMIT: '12',
      REMOTE_LIVENESS_STALE_AFTER: '1m30s',
      MOLECULE_WRAP_PEER_RESULTS: 'false',
      MOLECULE_HIERARCHY: 'ancestors',
      CORS_ORIGINS: 'http://localhost:3000, https://canvas.example.com',
      EXTERNAL_PLATFORM_URL: 'https://platform.example.com/',
      MOLECULE_ALLOW_AGENT_NETWORKS: '10.20.0.0/16',
    };
    expect(resolveSettings({ ...SECURE, server: { port: 0 } }, environment)).toMatchObject({
      server: {
        port: 0,
        corsOrigins: ['http://localhost:3000', 'https://canvas.example.com'],
        publicUrl: 'https://platform.example.com',
      },
      limits: { rateLimit: 12, livenessStaleAfterMs: 90_000 },
      security: { wrapPeerResults: false, hierarchy: 'ancestors', allowAgentNetworks: ['10.20.0.0/16'] },
    });
    expect(limitsOf(SECURE, { REMOTE_LIVENESS_STALE_AFTER: '45' }).livenessStaleAfterMs).toBe(45_000);
  });

  it('switches the rate limits off, and never has a lower one for heartbeats', () => {
    expect(limitsOf(SECURE, { RATE_LIMIT: 'off' }).rateLimit).toBe('off');
    expect(limitsOf({ ...SECURE, limits: { rateLimit: 'off' } }, { RATE_LIMIT: '5' }).rateLimit).toBe('off');
    expect(limitsOf({ ...SECURE, limits: { rateLimit: 5 } }, { RATE_LIMIT: 'off' }).rateLimit).toBe(5);
    expect(limitsOf({ mode: 'dev', data: IN_MEMORY }, {}).rateLimit).toBe('off');
    expect(limitsOf(SECURE, { RATE_LIMIT: '9000' }).presenceRate).toBe(9_000);
    expect(limitsOf(SECURE, { MOLECULE_PRESENCE_RATE: '100' }).presenceRate).toBe(100);
    expect(limitsOf(SECURE, { MOLECULE_PROGRESS_RATE: '100' }).progressRate).toBe(100);
  });

  it('reads sizes in bytes, KiB, MiB and GiB', () => {
    const bytesOf = (text: string) => limitsOf(SECURE, { MOLECULE_INBOX_BYTES: text }).inboxBytes;
    expect(['4096', '64KiB', '1 MiB', '2GiB'].map(bytesOf)).toEqual([
      4_096, 65_536, 1_048_576, 2_147_483_648,
    ]);
    for (const text of ['0', '-1', '1.5MiB', '64kb', 'much']) {
      expect(problemsOf(SECURE, { MOLECULE_INBOX_BYTES: text }), text).toEqual([
        'limits.inboxBytes (MOLECULE_INBOX_BYTES)',
      ]);
    }
  });

  it('reports all invalid values, by option and variable', () => {
    const wrong = {
      PORT: 'eighty',
      RATE_LIMIT: '0',
      REMOTE_LIVENESS_STALE_AFTER: '90 seconds',
      MOLECULE_WRAP_PEER_RESULTS: 'maybe',
      MOLECULE_HIERARCHY: 'flat',
      CORS_ORIGINS: '*',
      EXTERNAL_PLATFORM_URL: 'platform.example.com',
      MOLECULE_ALLOW_AGENT_NETWORKS: '10.0.0.1',
      SECRETS_ENCRYPTION_KEY: 'short',
    };
    expect(problemsOf({ security: { operatorKey: KEY }, data: IN_MEMORY }, wrong).sort()).toEqual([
      'limits.livenessStaleAfterMs (REMOTE_LIVENESS_STALE_AFTER)',
      'limits.rateLimit (RATE_LIMIT)',
      'security.allowAgentNetworks (MOLECULE_ALLOW_AGENT_NETWORKS)',
      'security.hierarchy (MOLECULE_HIERARCHY)',
      'security.secretsEncryptionKey (SECRETS_ENCRYPTION_KEY)',
      'security.wrapPeerResults (MOLECULE_WRAP_PEER_RESULTS)',
      'server.corsOrigins (CORS_ORIGINS)',
      'server.port (PORT)',
      'server.publicUrl (EXTERNAL_PLATFORM_URL)',
    ]);
  });

  it('refuses a public URL of another machine in dev mode', () => {
    const dev = { mode: 'dev', data: IN_MEMORY } as const;
    const url = 'https://molecule.example.com';
    expect(problemsOf({ ...dev, server: { publicUrl: url } })).toEqual([
      'server.publicUrl (EXTERNAL_PLATFORM_URL)',
    ]);
    expect(problemsOf(dev, { EXTERNAL_PLATFORM_URL: 'http://192.168.0.7:8080' })).toHaveLength(1);
    expect(problemsOf({ ...dev, server: { publicUrl: 'http://localhost.example.com' } })).toHaveLength(1);
    for (const own of ['http://localhost:8080', 'http://127.0.0.1', 'http://[::1]:9/', 'https://127.1.2.3']) {
      expect(resolveSettings({ ...dev, server: { publicUrl: own } }, {}).server.publicUrl).toBe(
        own.replace(/\/$/, ''),
      );
    }
    expect(resolveSettings(SECURE, { EXTERNAL_PLATFORM_URL: url }).server.publicUrl).toBe(url);
  });

  it('refuses variables of one option that contradict each other', () => {
    const variables = { ADMIN_TOKEN: KEY, MOLECULE_OPERATOR_KEY: `${KEY}4` };
    expect(problemsOf({ mode: 'dev' }, variables)).toEqual(['security.operatorKey (MOLECULE_OPERATOR_KEY)']);
    expect(problemsOf({ mode: 'dev' }, { ...variables, ADMIN_TOKEN: `${KEY}4` })).toEqual([]);
    expect(problemsOf(SECURE, variables)).toEqual([]);
  });

  it('names options that are none, and what is no group', () => {
    const unknown = { limits: { inboxByte: 1, prot: 1, quux: undefined }, data: 7, adminTokn: 'x' };
    expect(() => resolveSettings({ mode: 'dev', ...(unknown as object) }, {})).toThrow(
      [
        'limits.inboxByte: is not an option; did you mean limits.inboxBytes?',
        'limits.prot: is not an option; did you mean server.port?',
        'limits.quux: is not an option; the options of limits are answerHoldSeconds, inboxBytes, inboxLimit, livenessStaleAfterMs, maxAttempts, maxHops, maxTurns, messageTtlMs, pairRate, presenceRate, progressRate, pushTimeoutMs, questionTtlMs, rateLimit, workspaceQuota',
        'adminTokn: is not an option; the options are clock, data, limits, logger, mode, security, server',
        'data: must be an object',
      ].join('\n'),
    );
  });
});

it.each([
  'http://u:swordfish@x',
  'http://:swordfish@x',
  'htp://u:swordfish@x',
  'u:swordfish@h:99999',
  'https://h/?token=swordfish',
])('quotes no URL that may have a password: %s', (url) => {
  for (const variable of ['EXTERNAL_PLATFORM_URL', 'CORS_ORIGINS']) {
    const environment = { MOLECULE_ENV: 'dev', [variable]: url };
    expect(() => resolveSettings({}, environment)).toThrow(variable);
    expect(() => resolveSettings({}, environment)).not.toThrow(/swordfish/);
  }
});
