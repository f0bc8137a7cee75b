import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SELF, TOKEN } from '../../test/agent-ids.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { resolveClientSettings, resolveOperatorSettings } from './client-settings.ts';
import { SDK_VERSION } from './sdk-version.ts';

const least = { workspaceId: SELF, platformUrl: 'http://localhost:8080' };

it('warns of a key of a card that looks like another one', () => {
  const logger = recordingLogger();
  const agentCard = { nmae: 'x', operatingHours: 1, skills: ['plain', { id: 'a', descripton: 'b' }] };
  const settings = resolveClientSettings({ ...least, agentCard: agentCard as never, logger }, {});
  expect(settings.agentCard).toBe(agentCard);
  expect(logger.lines.map(({ fields, message }) => [message, fields.hint])).toEqual([
    ['agentCard has no key "nmae". It is sent as it is.', 'Did you mean name?'],
    ['A skill of agentCard has no key "descripton". It is sent as it is.', 'Did you mean description?'],
  ]);
});

describe('resolveClientSettings', () => {
  it('applies all defaults and freezes', () => {
    const settings = resolveClientSettings({ ...least, platformUrl: 'HTTPS://Acme.Example:443/base///' }, {});
    expect(settings).toMatchObject({
      workspaceId: SELF,
      platformUrl: 'https://acme.example/base',
      platformOrigin: 'https://acme.example',
      basePath: '/base',
      origin: 'https://acme.example',
      orgId: null,
      authToken: null,
      reportedUrl: null,
      deliveryMode: 'poll',
      agentCard: { name: `remote-agent-${SELF.slice(0, 8)}` },
      stateDirectory: join(homedir(), '.molecule', SELF),
      requestTimeoutMs: 10_000,
      messageTimeoutMs: 15_000,
      callTimeoutMs: 30_000,
      maxRetries: 3,
      maxRetryAfterMs: 30_000,
      peerCacheTtlMs: 300_000,
    });
    expect(Object.isFrozen(settings)).toBe(true);
    expect(Object.values(settings)).not.toContain(undefined);
  });

  it('limits what `random` returns to numbers from 0 to 1', () => {
    const given = [Number.NaN, -20, 0, 0.5, 1, 7, Number.POSITIVE_INFINITY];
    const { random } = resolveClientSettings(
      { ...least, connection: { random: () => given.shift() ?? 0 } },
      {},
    );
    expect(Array.from({ length: 7 }, () => random())).toEqual([0, 0, 0, 0.5, 1, 1, 1]);
  });

  it('reads missing options from the environment', () => {
    const env = {
      PLATFORM_URL: 'http://second:1',
      MOLECULE_PLATFORM_URL: ' http://first:1 ',
      WORKSPACE_ID: SELF.toUpperCase(),
      MOLECULE_WORKSPACE_TOKEN: TOKEN,
      MOLECULE_ORG_ID: 'org-1',
      MOLECULE_AGENT_NAME: 'named',
      MOLECULE_STATE_DIR: '~/state',
    };
    expect(resolveClientSettings({}, env)).toMatchObject({
      platformUrl: 'http://first:1',
      workspaceId: SELF,
      authToken: TOKEN,
      orgId: 'org-1',
      agentCard: { name: 'named' },
      stateDirectory: join(homedir(), 'state'),
    });
    expect(resolveClientSettings({ ...least, authToken: null }, env).authToken).toBe(TOKEN);
    expect(resolveClientSettings({ ...least, orgId: 'own', agentCard: { name: 'card' } }, env)).toMatchObject(
      {
        platformUrl: 'http://localhost:8080',
        orgId: 'own',
        agentCard: { name: 'card' },
      },
    );
  });

  it('uses a configured origin, the platform origin by default, none for null', () => {
    expect(resolveClientSettings({ ...least, origin: 'my-agent/1.0' }, {}).origin).toBe('my-agent/1.0');
    expect(resolveClientSettings({ ...least, origin: null }, { MOLECULE_ORIGIN: 'x' }).origin).toBeNull();
    expect(resolveClientSettings(least, {}).origin).toBe('http://localhost:8080');
  });

  it('uses push with a reported URL', () => {
    expect(
      resolveClientSettings({ ...least, reportedUrl: 'https://agent.example/a2a' }, {}).deliveryMode,
    ).toBe('push');
    expect(() => resolveClientSettings({ ...least, deliveryMode: 'push' }, {})).toThrow(
      /MOLECULE_REPORTED_URL/,
    );
  });

  it('names the file that may be empty when all names are missing', () => {
    expect(() => resolveClientSettings({}, {})).toThrow(
      expect.objectContaining({
        hint: expect.stringMatching(/--env-file=<file>, and check that the file is not empty\.$/),
      }),
    );
  });

  it.each([
    [{}, /^platformUrl \(or MOLECULE_PLATFORM_URL, PLATFORM_URL\) and workspaceId \(or .*\) are missing\.$/],
    [{ platformUrl: 'http://p' }, /workspaceId \(or MOLECULE_WORKSPACE_ID, WORKSPACE_ID\) is missing/],
    [{ workspaceId: SELF }, /platformUrl \(or MOLECULE_PLATFORM_URL, PLATFORM_URL\) is missing/],
    [{ ...least, workspaceId: '../../etc' }, /must be a UUID/],
    [{ ...least, workspaceId: `${SELF}/x` }, /must be a UUID/],
    [{ ...least, platformUrl: 'ftp://p' }, /http or https/],
    [{ ...least, platformUrl: 'localhost:8080' }, /http or https/],
    [{ ...least, platformUrl: 'http://user:hunter2@p' }, /must not contain a user name or password/],
    [{ ...least, reportedUrl: 'remote://no-inbound' }, /reportedUrl/],
    [{ ...least, orgId: 'a\r\nX-Evil: 1' }, /orgId .* printable ASCII/],
    [{ ...least, limits: { requestTimeoutMs: 0 } }, /^limits\.requestTimeoutMs must be a number from 1 /],
    [
      { ...least, limits: { maxRetries: 1.5 } },
      /^limits\.maxRetries must be an integer from 0 to 20, got 1\.5\.$/,
    ],
    [{ ...least, limits: { callTimeoutMs: Number.NaN } }, /callTimeoutMs/],
  ])('refuses %j', (options, message) => {
    const attempt = () => resolveClientSettings(options, {});
    expect(attempt).toThrow(expect.objectContaining({ code: 'configuration_invalid' }));
    expect(attempt).toThrow(message);
    expect(attempt).not.toThrow(/hunter2/);
  });
});

it.each([
  { workspaceId: 'sk-live-abcdef0123456789-short' },
  { platformUrl: 'sk-live-abcdef0123456789-short' },
  { platformUrl: 'htp://user:hunter2/abcdef0123456789@platform.example' },
  { reportedUrl: 'http:/user:hunter2/abcdef0123456789@agent.example' },
])('quotes no credential that is in the wrong place: %j', (options) => {
  const attempt = () => resolveClientSettings({ ...least, ...options }, {});
  expect(attempt).toThrow(expect.objectContaining({ code: 'configuration_invalid' }));
  expect(attempt).not.toThrow(/hunter2|abcdef0123456789/);
});

describe('the hint for', () => {
  it.each([
    [{ ...least, workspaceId: 'researcher' }, /id that POST \/workspaces returned/],
    [{ ...least, platformUrl: 'localhost:8080' }, /Add the scheme/],
    [{ ...least, platformUrl: 'example.com' }, /Add the scheme/],
    [{ ...least, platformUrl: 'ftp://p' }, /^Write it as in http:/],
    [{ ...least, platformUrl: 'ws://p' }, /^Write http: instead of ws:\.$/],
    [{ ...least, platformUrl: '"http://p"' }, /^Set it without the character " around it\.$/],
    [{ ...least, workspaceId: `"${SELF}"` }, /^Set it without the characters around it, " and "\.$/],
    [{ ...least, workspaceId: `{${SELF}}` }, /^Set it without the characters around it, \{ and }\.$/],
  ])('%j', (options, hint) => {
    expect(() => resolveClientSettings(options, {})).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(hint) }),
    );
  });
});

describe('a token as people copy it', () => {
  it.each([
    ['with a line break at its end', `${TOKEN}\n`],
    ['from a file with line breaks of Windows', ` ${TOKEN}\r\n`],
  ])('%s is the token', (_name, authToken) => {
    expect(resolveClientSettings({ ...least, authToken }, {}).authToken).toBe(TOKEN);
    expect(resolveClientSettings(least, { MOLECULE_WORKSPACE_TOKEN: authToken }).authToken).toBe(TOKEN);
  });

  it.each([
    ['has quotes around it', `"${TOKEN}"`, 'Set it without the quotes.'],
    ['has quotes around it', `'${TOKEN}'`, 'Set it without the quotes.'],
    [
      'begins with the word Bearer',
      `Bearer ${TOKEN}`,
      'Set it to the token alone: the client adds the word.',
    ],
    [
      'begins with the name of a variable',
      `MOLECULE_WORKSPACE_TOKEN=${TOKEN}`,
      'Set it to what follows the sign =.',
    ],
    [
      'contains white space, a line break or a character outside ASCII',
      `${TOKEN}\n${TOKEN}`,
      'Copy it again: a token is one word.',
    ],
  ])('%s: an error without the token', (problem, authToken, hint) => {
    const attempts = [
      () => resolveClientSettings({ ...least, authToken }, {}),
      () => resolveClientSettings({ ...least, adminToken: authToken }, {}),
      () => resolveClientSettings(least, { MOLECULE_WORKSPACE_TOKEN: authToken }),
      () => resolveOperatorSettings({ platformUrl: 'http://p', operatorKey: authToken }, {}),
    ];
    for (const attempt of attempts) {
      expect(attempt).toThrow(
        expect.objectContaining({
          code: 'configuration_invalid',
          hint,
          message: expect.stringMatching(new RegExp(`^\\w+ \\(or [A-Z_, ]+\\) ${problem}\\.$`)),
        }),
      );
      expect(attempt).not.toThrow(TOKEN);
    }
  });
});

describe('resolveOperatorSettings', () => {
  it('accepts a key, its variable, or an explicit null', () => {
    const platformUrl = 'http://p';
    expect(resolveOperatorSettings({ platformUrl, operatorKey: 'key-1' }, {}).operatorKey).toBe('key-1');
    expect(resolveOperatorSettings({ platformUrl }, { ADMIN_TOKEN: 'key-2' }).operatorKey).toBe('key-2');
    expect(
      resolveOperatorSettings({ platformUrl, operatorKey: null }, { ADMIN_TOKEN: 'x' }).operatorKey,
    ).toBeNull();
    expect(() => resolveOperatorSettings({ platformUrl }, {})).toThrow(
      /operatorKey \(or MOLECULE_OPERATOR_KEY/,
    );
  });
});

it('the version is that of package.json', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(SDK_VERSION).toBe(manifest.version);
});

describe('how peers are called', () => {
  it('loopback and private addresses only for a platform on this machine, other networks if they are named', () => {
    for (const [platformUrl, isLocal] of [
      ['http://localhost:8080', true],
      ['http://127.0.0.1:8080', true],
      ['http://[::1]:8080', true],
      ['http://10.0.0.1:8080', false],
      ['https://acme.example', false],
      ['https://localhost.acme.example', false],
    ] as const) {
      const { directCalls, peerAddresses } = resolveClientSettings({ ...least, platformUrl }, {});
      expect(directCalls).toBe('auto');
      expect(peerAddresses).toEqual({ allowLoopback: isLocal, allowPrivate: isLocal, allowedNetworks: [] });
    }
    const env = { MOLECULE_ALLOW_PEER_NETWORKS: '10.20.0.0/16, fd12:3456::/32' };
    const networks = ['10.20.0.0/16', 'fd12:3456::/32'];
    expect(resolveClientSettings(least, env).peerAddresses.allowedNetworks).toEqual(networks);
    const own = { ...least, connection: { allowPeerNetworks: ['192.168.0.0/24'] } };
    expect(resolveClientSettings(own, env).peerAddresses.allowedNetworks).toEqual(['192.168.0.0/24']);
  });

  it.each([
    '10.0.0.1',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/8/8',
    'x/8',
    '::ffff:10.0.0.0/104',
    'fe80::%1/10',
    '/8',
  ])('refuses the network %j', (network) => {
    const options = { ...least, connection: { allowPeerNetworks: [network] } };
    expect(() => resolveClientSettings(options, {})).toThrow(/MOLECULE_ALLOW_PEER_NETWORKS/);
  });

  it.each(['10.0.0.0/8', [5], {}])('refuses %j as a list of networks', (allowPeerNetworks) => {
    const options = { ...least, connection: { allowPeerNetworks: allowPeerNetworks as never } };
    expect(() => resolveClientSettings(options, {})).toThrow(
      expect.objectContaining({
        code: 'configuration_invalid',
        message: expect.stringContaining('allowPeerNetworks'),
      }),
    );
  });

  it('refuses another word for directCalls', () => {
    const options = { ...least, connection: { directCalls: 'sometimes' as 'off' } };
    expect(() => resolveClientSettings(options, {})).toThrow(/directCalls must be "auto"/);
  });
});
