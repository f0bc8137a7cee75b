import { type HostResolver, resolvePolicy } from '@molecule-ai/net-guard';
import { z } from '@molecule-ai/protocol';
import { errorFacts } from '../foreign-error.ts';
import { type PlatformLogger, silentLogger } from '../logging/logger.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import {
  bytes,
  duration,
  flag,
  group,
  list,
  mustBe,
  oneOf,
  secret,
  text,
  whole,
  wholeOrOff,
} from './option-types.ts';

/** `data.directory` of a platform without files. */
export const IN_MEMORY = ':memory:';

const MAX_RATE = 1_000_000;
const MEBIBYTE = 1_024 ** 2;
const HOUR_MS = 3_600_000;

const server = group({
  host: text('an address to listen on')
    .overwrite((host) => host.replace(/^\[(.*)\]$/, '$1'))
    .default('127.0.0.1')
    .meta({ env: ['HOST'], flag: '--host <address>' })
    .describe('Address to listen on. In dev mode only a loopback one.'),
  port: whole(0, 65_535)
    .default(8080)
    .meta({ env: ['PORT'], flag: '--port <number>' })
    .describe('Port to listen on; 0 picks a free one.'),
  publicUrl: text('an http or https URL')
    .refine(
      isPlainUrl,
      mustBe('an http or https URL without credentials and query, such as https://molecule.example.com'),
    )
    .overwrite((url) => (URL.parse(url)?.href ?? url).replace(/\/+$/, ''))
    .optional()
    .meta({ env: ['EXTERNAL_PLATFORM_URL'], flag: '--public-url <url>', default: 'the address listened on' })
    .describe('The URL under which agents reach the platform. In dev mode only a loopback one.'),
  corsOrigins: list(text('an origin').refine(isOrigin, mustBe('an origin such as http://localhost:3000')))
    .default([])
    .meta({ env: ['CORS_ORIGINS'], default: 'none' })
    .describe('Origins of web pages that may call the platform.'),
  stopTimeoutMs: duration(0)
    .default(10_000)
    .meta({ env: ['MOLECULE_STOP_TIMEOUT'] })
    .describe('How long `close()` waits for requests in flight.'),
  contractCheck: oneOf('off', 'responses', 'all')
    .default('off')
    .meta({ env: ['MOLECULE_CONTRACT_CHECK'] })
    .describe('What of each exchange is validated against the strict schemas; a violation is a 500.'),
});

const data = group({
  directory: text(`the path of a folder, or ${IN_MEMORY}`)
    .optional()
    .meta({ env: ['MOLECULE_DATA_DIR'], flag: '--data-dir <folder>', default: '~/.molecule/platform' })
    .describe(
      `Folder of the database and the operator key. With \`${IN_MEMORY}\` all data is lost when the platform stops.`,
    ),
  synchronous: oneOf('full', 'normal')
    .default('full')
    .meta({ env: ['MOLECULE_SYNCHRONOUS'], flag: '--synchronous <mode>' })
    .describe(
      '`full` waits for the disk at each commit; `normal` is faster, and may lose the last commits in a power cut.',
    ),
  minFreeSpace: bytes()
    .default(64 * MEBIBYTE)
    .meta({ env: ['MOLECULE_MIN_FREE_SPACE'] })
    .describe('`/ready` is 503 while fewer bytes are free in the data folder.'),
  activityRetentionDays: whole(1, 36_500)
    .default(7)
    .meta({ env: ['ACTIVITY_RETENTION_DAYS'] })
    .describe('Days that acknowledged feed rows are kept.'),
  eventLimit: whole(1_000, 1_000_000_000)
    .default(1_000_000)
    .meta({ env: ['MOLECULE_EVENT_LIMIT'] })
    .describe('Events that are kept at most, however young.'),
  finishedBytes: bytes()
    .default(1_024 * MEBIBYTE)
    .meta({ env: ['MOLECULE_FINISHED_BYTES'] })
    .describe('Bytes of finished messages that are kept for one workspace.'),
  onQuery: z
    .custom<(sql: string) => void>()
    .optional()
    .meta({ type: '(sql: string) => void', default: 'none' })
    .describe('Called with each SQL text that runs.'),
});

const limits = group({
  rateLimit: wholeOrOff(1, MAX_RATE)
    .optional()
    .meta({ env: ['RATE_LIMIT'], default: '600, or `off` in dev mode' })
    .describe(
      'Requests a minute of each workspace, operator credential or unknown address. `off` switches all rate limits off.',
    ),
  presenceRate: whole(10, MAX_RATE)
    .optional()
    .meta({ env: ['MOLECULE_PRESENCE_RATE'], default: 'the larger one of 600 and `rateLimit`' })
    .describe(
      'Heartbeats and acknowledgements a minute of each workspace. A tenth of them is only for heartbeats.',
    ),
  progressRate: whole(10, MAX_RATE)
    .default(3_000)
    .meta({ env: ['MOLECULE_PROGRESS_RATE'] })
    .describe('Reports of progress a minute of each workspace.'),
  pairRate: whole(0, MAX_RATE)
    .default(120)
    .meta({ env: ['MOLECULE_PAIR_RATE'] })
    .describe(
      'Messages a minute that two workspaces may send to each other in both directions without naming a parent. 0 switches the limit off.',
    ),
  inboxLimit: whole(1, 10_000_000)
    .default(10_000)
    .meta({ env: ['MOLECULE_INBOX_LIMIT'] })
    .describe('Messages that may wait for one workspace before senders get 429.'),
  inboxBytes: bytes()
    .default(256 * MEBIBYTE)
    .meta({ env: ['MOLECULE_INBOX_BYTES'] })
    .describe('Bytes of messages that may wait for one workspace before senders get 429.'),
  workspaceQuota: bytes()
    .default(1_024 * MEBIBYTE)
    .meta({ env: ['MOLECULE_WORKSPACE_QUOTA'] })
    .describe('Bytes of notifications and reports that are stored for one workspace before it gets 429.'),
  messageTtlMs: duration(1_000)
    .default(7 * 24 * HOUR_MS)
    .meta({ env: ['MOLECULE_MESSAGE_TTL'] })
    .describe('How long a message may stay without an end before it expires.'),
  questionTtlMs: duration(1_000)
    .default(24 * HOUR_MS)
    .meta({ env: ['MOLECULE_QUESTION_TTL'] })
    .describe('How long a question of an agent may stay unanswered.'),
  answerHoldSeconds: whole(0, 3_600)
    .default(25)
    .meta({ env: ['MOLECULE_ANSWER_HOLD_SECONDS'] })
    .describe(
      'Seconds that a call to a polling agent waits for its answer. Keep it below 30, after which the channel bridge gives up and may send the message again.',
    ),
  maxHops: whole(1, 100)
    .default(8)
    .meta({ env: ['MOLECULE_MAX_HOPS'] })
    .describe(
      'How many messages between workspaces may follow from each other before the next one is refused as a loop.',
    ),
  maxTurns: whole(1, 1_000_000)
    .default(500)
    .meta({ env: ['MOLECULE_MAX_TURNS'] })
    .describe('How many late answers may be handled on one path before the next message is refused.'),
  maxAttempts: whole(1, 1_000)
    .default(5)
    .meta({ env: ['MOLECULE_MAX_ATTEMPTS'] })
    .describe('Push attempts before a message is a dead letter.'),
  pushTimeoutMs: duration(1)
    .default(300_000)
    .meta({ env: ['A2A_IDLE_TIMEOUT_SECONDS'] })
    .describe('Maximum idle time and maximum total time of one push.'),
  livenessStaleAfterMs: duration(100)
    .default(90_000)
    .meta({ env: ['REMOTE_LIVENESS_STALE_AFTER'] })
    .describe('An agent that has been silent for so long is offline.'),
});

const security = group({
  operatorKey: secret()
    // It can be guessed over the network.
    .min(16, 'must have at least 16 characters')
    .regex(/^\S(.*\S)?$/s, 'must not begin or end with white space')
    .optional()
    .meta({
      env: ['ADMIN_TOKEN', 'MOLECULE_OPERATOR_KEY'],
      default: 'required in production; in dev mode generated once and stored in the data folder',
    })
    .describe('The operator key, a bearer token of at least 16 characters.'),
  secretsEncryptionKey: secret()
    .refine(
      (key) => /^[A-Za-z0-9+/]{43}=$/.test(key) || Buffer.byteLength(key) === 32,
      'must be the base64 of 32 bytes, or exactly 32 characters',
    )
    .optional()
    .meta({ env: ['SECRETS_ENCRYPTION_KEY'], default: 'required in production' })
    .describe('Key for secrets: base64 of 32 bytes, or 32 characters.'),
  orgId: text('the id of an organisation')
    .optional()
    .meta({ env: ['MOLECULE_ORG_ID'], default: 'all are accepted' })
    .describe('Accept only requests with this `X-Molecule-Org-Id`.'),
  allowAgentNetworks: list(text('a network in CIDR notation'))
    .superRefine((allowedNetworks, context) => {
      try {
        resolvePolicy({ allowedNetworks });
      } catch (error) {
        context.addIssue({ code: 'custom', message: errorFacts(error).message });
      }
    })
    .default([])
    .meta({
      env: ['MOLECULE_ALLOW_AGENT_NETWORKS'],
      default: 'none in production, all private ones in dev mode',
    })
    .describe(
      'Private networks in CIDR notation where agents may be reached. Link-local and metadata addresses stay refused.',
    ),
  wrapPeerResults: flag()
    .default(true)
    .meta({ env: ['MOLECULE_WRAP_PEER_RESULTS'] })
    .describe('Mark answers of peers as untrusted.'),
  hierarchy: oneOf('direct', 'ancestors')
    .default('direct')
    .meta({ env: ['MOLECULE_HIERARCHY'] })
    .describe('Who may communicate: direct relatives, or ancestors too.'),
  claimWindowMs: duration(0)
    .default(15 * 60_000)
    .meta({ env: ['MOLECULE_CLAIM_WINDOW'] })
    .describe('How long a new workspace may be claimed without a credential.'),
  resolve: z
    .custom<HostResolver>()
    .optional()
    .meta({ type: 'HostResolver', default: "the system's resolver" })
    .describe('Resolves the host names of agents before connecting.'),
});

/** Every option of a platform: values, defaults, variables, flags and descriptions come from here. */
export const platformOptionsSchema = group({
  mode: oneOf('production', 'dev')
    .default('production')
    .meta({
      env: ['MOLECULE_ENV'],
      flag: '--dev',
      default:
        "'production', or 'dev' when `MOLECULE_ENV` is `dev` or `development` and there is no `ADMIN_TOKEN`",
    })
    .describe('`dev` listens on the loopback address only and needs no credentials there.'),
  server: server.prefault({}).describe('Where the platform listens and how it is reached.'),
  data: data.prefault({}).describe('Where data is stored and how long it is kept.'),
  limits: limits.prefault({}).describe('Rates, quotas and times of messages and agents.'),
  security: security.prefault({}).describe('Keys, and who may reach whom.'),
  logger: z
    .custom<PlatformLogger>()
    .default(() => silentLogger)
    .meta({ type: 'PlatformLogger', default: 'silent' })
    .describe('A pino logger fits.'),
  clock: z
    .custom<Clock>()
    .default(() => systemClock)
    .meta({ type: 'Clock', default: "the system's clock" })
    .describe('Tells the time and schedules.'),
});

function isOrigin(given: string): boolean {
  return URL.parse(given)?.origin === given;
}

function isPlainUrl(given: string): boolean {
  const url = URL.parse(given);
  return (
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.username + url.password + url.search + url.hash === ''
  );
}
