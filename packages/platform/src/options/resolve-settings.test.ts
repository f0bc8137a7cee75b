import { describe, expect, it } from 'vitest';
import type { PlatformOptions } from './platform-options.ts';
import { PlatformOptionsError } from './platform-options-error.ts';
import { resolveSettings } from './resolve-settings.ts';
import type { Environment } from './setting-reader.ts';

const KEY = 'operator-key-123';
const SECURE: PlatformOptions = { adminToken: KEY, secretsEncryptionKey: 'k'.repeat(32), memory: true };

function problemsOf(options: PlatformOptions, environment: Environment = {}): string[] {
  try {
    resolveSettings(options, environment);
    return [];
  } catch (error) {
    if (!(error instanceof PlatformOptionsError)) throw error;
    return error.problems.map(({ option, variable }) => `${option} (${variable})`);
  }
}

describe('resolving the settings', () => {
  it('has a documented default for everything else', () => {
    const settings = resolveSettings(SECURE, {});
    expect(settings).toMatchObject({
      mode: 'production',
      host: '127.0.0.1',
      port: 8080,
      dataDir: null,
      operatorKey: KEY,
      orgId: null,
      wrapPeerResults: true,
      hierarchy: 'direct',
      livenessStaleAfterMs: 90_000,
      livenessSweepEveryMs: 15_000,
      claimWindowMs: 900_000,
      rateLimit: 600,
      presenceRate: 600,
      progressRate: 3_000,
      corsOrigins: [],
      inboxLimit: 10_000,
      inboxBytes: 268_435_456,
      workspaceQuota: 1_073_741_824,
      eventLimit: 1_000_000,
      finishedBytes: 1_073_741_824,
      minFreeSpace: 67_108_864,
      synchronous: 'full',
      activityRetentionDays: 7,
      contractCheck: 'off',
      leaseMs: 60_000,
      answerHoldSeconds: 25,
      maxHops: 8,
      maxTurns: 500,
      pairRate: 120,
      maxAttempts: 5,
    });
    expect(Object.isFrozen(settings)).toBe(true);
  });

  it('is in dev mode by option, or by MOLECULE_ENV unless there is an ADMIN_TOKEN', () => {
    const modeOf = (options: PlatformOptions, environment: Environment) =>
      resolveSettings({ memory: true, secretsEncryptionKey: 'k'.repeat(32), ...options }, environment).mode;
    expect(modeOf({ mode: 'dev' }, {})).toBe('dev');
    expect(modeOf({}, { MOLECULE_ENV: 'development' })).toBe('dev');
    expect(modeOf({}, { MOLECULE_ENV: 'Development', ADMIN_TOKEN: KEY })).toBe('production');
    expect(modeOf({ adminToken: KEY }, { MOLECULE_ENV: 'dev' })).toBe('production');
  });

  it('restricts dev mode to this machine', () => {
    expect(problemsOf({ mode: 'dev', memory: true, host: '0.0.0.0' })).toEqual(['host (HOST)']);
    expect(problemsOf({ mode: 'dev', memory: true }, { HOST: '192.168.1.5' })).toEqual(['host (HOST)']);
    for (const host of ['127.0.0.1', '127.0.0.2', '::1', '[::1]', 'localhost']) {
      expect(problemsOf({ mode: 'dev', memory: true, host })).toEqual([]);
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
    expect(resolveSettings({ ...SECURE, port: 0 }, environment)).toMatchObject({
      port: 0,
      rateLimit: 12,
      livenessStaleAfterMs: 90_000,
      wrapPeerResults: false,
      hierarchy: 'ancestors',
      corsOrigins: ['http://localhost:3000', 'https://canvas.example.com'],
      publicUrl: 'https://platform.example.com',
      allowAgentNetworks: ['10.20.0.0/16'],
    });
    expect(resolveSettings(SECURE, { REMOTE_LIVENESS_STALE_AFTER: '45' }).livenessStaleAfterMs).toBe(45_000);
  });

  it('switches the rate limits off, and never has a lower one for heartbeats', () => {
    expect(resolveSettings(SECURE, { RATE_LIMIT: 'off' }).rateLimit).toBeNull();
    expect(resolveSettings({ ...SECURE, rateLimit: 'off' }, { RATE_LIMIT: '5' }).rateLimit).toBeNull();
    expect(resolveSettings({ ...SECURE, rateLimit: 5 }, { RATE_LIMIT: 'off' }).rateLimit).toBe(5);
    expect(resolveSettings({ mode: 'dev', memory: true }, {}).rateLimit).toBeNull();
    expect(resolveSettings(SECURE, { RATE_LIMIT: '9000' }).presenceRate).toBe(9_000);
    expect(resolveSettings(SECURE, { MOLECULE_PRESENCE_RATE: '100' }).presenceRate).toBe(100);
    expect(resolveSettings(SECURE, { MOLECULE_PROGRESS_RATE: '100' }).progressRate).toBe(100);
  });

  it('reads sizes in bytes, KiB, MiB and GiB', () => {
    const bytesOf = (text: string) => resolveSettings(SECURE, { MOLECULE_INBOX_BYTES: text }).inboxBytes;
    expect(['4096', '64KiB', '1 MiB', '2GiB'].map(bytesOf)).toEqual([
      4_096, 65_536, 1_048_576, 2_147_483_648,
    ]);
    for (const text of ['0', '-1', '1.5MiB', '64kb', 'much']) {
      expect(problemsOf(SECURE, { MOLECULE_INBOX_BYTES: text }), text).toEqual([
        'inboxBytes (MOLECULE_INBOX_BYTES)',
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
    expect(problemsOf({ adminToken: KEY, memory: true }, wrong).sort()).toEqual([
      'allowAgentNetworks (MOLECULE_ALLOW_AGENT_NETWORKS)',
      'corsOrigins (CORS_ORIGINS)',
      'hierarchy (MOLECULE_HIERARCHY)',
      'livenessStaleAfterMs (REMOTE_LIVENESS_STALE_AFTER)',
      'port (PORT)',
      'publicUrl (EXTERNAL_PLATFORM_URL)',
      'rateLimit (RATE_LIMIT)',
      'secretsEncryptionKey (SECRETS_ENCRYPTION_KEY)',
      'wrapPeerResults (MOLECULE_WRAP_PEER_RESULTS)',
    ]);
  });

  it('refuses a public URL of another machine in dev mode', () => {
    const dev = { mode: 'dev', memory: true } as const;
    const url = 'https://molecule.example.com';
    expect(problemsOf({ ...dev, publicUrl: url })).toEqual(['publicUrl (EXTERNAL_PLATFORM_URL)']);
    expect(problemsOf(dev, { EXTERNAL_PLATFORM_URL: 'http://192.168.0.7:8080' })).toHaveLength(1);
    expect(problemsOf({ ...dev, publicUrl: 'http://localhost.example.com' })).toHaveLength(1);
    for (const own of ['http://localhost:8080', 'http://127.0.0.1', 'http://[::1]:9/', 'https://127.1.2.3']) {
      expect(resolveSettings({ ...dev, publicUrl: own }, {}).publicUrl).toBe(own.replace(/\/$/, ''));
    }
    expect(resolveSettings(SECURE, { EXTERNAL_PLATFORM_URL: url }).publicUrl).toBe(url);
  });

  it('refuses settings that contradict each other', () => {
    expect(problemsOf({ ...SECURE, dataDir: '/tmp/x' })).toEqual(['dataDir (MOLECULE_DATA_DIR)']);
    expect(problemsOf({ ...SECURE, operatorKey: 'b' })).toEqual(['operatorKey (MOLECULE_OPERATOR_KEY)']);
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
