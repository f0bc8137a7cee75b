import { type ClientPort, clientPort, findClientPort } from '../client/client-port.ts';
import type { PeerClient } from '../client/peer-client.ts';
import { ConfigurationError } from '../errors/molecule-error.ts';
import { type ChosenDelivery, deliveryOption } from '../inbound/deliveries.ts';
import type { InboundDelivery } from '../inbound/delivery.ts';
import { FileInboundStore, type InboundStore } from '../inbound/inbound-store.ts';
import { HeartbeatShape } from '../presence/run-heartbeat-loop.ts';
import {
  checkNumber,
  describe,
  flag,
  number,
  type OptionsOf,
  option,
  optionsSchema,
  parseOptions,
  type SettingsOf,
  withMethods,
  word,
} from '../settings/options.ts';
import { DEFAULT_RECONNECT_SPREAD_MS, type RandomSource } from '../time/backoff.ts';
import { type AnswerHandler, bySkill, type MessageHandler, type SkillHandler } from './handlers.ts';
import { type InboundCheck, inboundAuthOption } from './inbound-auth.ts';

const MIN_READ_AHEAD = 50;
const DEFAULT_HANDLER_TIMEOUT_MS = 600_000;
const DEFAULT_PROBE_AFTER_MS = 3_600_000;
const DEFAULT_EXIT_AFTER_MS = 300_000;
const STORE_HINT = 'Pass new MemoryInboundStore(), an InboundStore of your own, or leave it out for a file.';
const MESSAGE_HINT = 'Pass the handler of messages, such as (message) => message.text.';
const CONFLICT_POLICIES = ['wait', 'takeover', 'fail'] as const;

/**
 * What an agent does when another running agent reads for its workspace: `wait` until that one stops or is silent for
 * 45 s, `takeover` ends that one with the outcome `superseded`, `fail` ends this one.
 */
export type ConflictPolicy = (typeof CONFLICT_POLICIES)[number];

/** How often a handler is called for one message. */
class RetryShape {
  /** At most so many times, those that a crash ended included. @default 5 */
  attempts = number({ min: 1, max: 100, isInteger: true, byDefault: 5 });
  /** The pause after the first attempt, in milliseconds; each further one is four times as long. @default 1_000 */
  delayMs = number({ min: 0, byDefault: 1_000 });
  /** The longest pause, in milliseconds, at most a day. @default 64_000 */
  maxDelayMs = number({ min: 0, max: 86_400_000, byDefault: 64_000 });
}

/** How much an agent reads, and how long it waits. */
class AgentLimits {
  /**
   * Maximum number of messages read, or accepted by requests, and not finished. Direct messages of peers may take half, those
   * of one peer a quarter; a tenth is only for people. At least `concurrency`. @default 50
   */
  readAhead = number({ min: 1, isInteger: true, byDefault: undefined });
  /**
   * Time limit of one attempt, in milliseconds; `null` for no limit. A handler that runs for a minute while other
   * messages wait causes a `degraded` event. @default 600_000
   */
  handlerTimeoutMs = option<number | null>(
    (value, refuse) => (value === null ? null : checkNumber(value, { min: 1, isInteger: true }, refuse)),
    { kind: 'an integer or `null`', byDefault: DEFAULT_HANDLER_TIMEOUT_MS },
  );
  /** How long `stop()` waits for running handlers, in milliseconds. @default 30_000 */
  stopTimeoutMs = number({ min: 0, isInteger: true, byDefault: 30_000 });
}

/** How an agent stays online, and what it does when it cannot. */
class PresenceShape extends HeartbeatShape {
  /**
   * Agents that lose the platform together try again at moments spread over this window, in milliseconds, 500–15 000; after
   * further failures over up to 15–30 s. A single agent is back sooner with less. @default 15_000
   */
  reconnectSpreadMs = number({
    min: 500,
    max: DEFAULT_RECONNECT_SPREAD_MS,
    byDefault: DEFAULT_RECONNECT_SPREAD_MS,
  });
  /**
   * After so long without a message, in milliseconds, an agent that reads the feed sends itself one, which no handler gets; with `push`
   * it asks the platform whether that reaches it. When two in a row fail, it is degraded with `inbound-dead`. At least 60 000; `null` or `false` for never. @default 3_600_000
   */
  probeAfterMs = option<number | null, number | null | false>(
    (value, refuse) =>
      value === null || value === false ? null : checkNumber(value, { min: 60_000 }, refuse),
    { kind: 'a number, `null` or `false`', byDefault: DEFAULT_PROBE_AFTER_MS },
  );
  /**
   * Ends the process with exit code 70 when the agent has sent no heartbeat or received nothing for so long, in milliseconds, at least
   * 10 000, so that a supervisor starts it again; `true` for five minutes. Heartbeats that are refused because of their rate count after
   * three intervals at least. Not while the workspace is paused. @default false
   */
  exitWhenDead = option<number | null, boolean | number>(
    (value, refuse) => {
      if (value === false) return null;
      if (value === true) return DEFAULT_EXIT_AFTER_MS;
      if (typeof value === 'number') return checkNumber(value, { min: 10_000 }, refuse);
      const hint = 'Pass true for five minutes, or milliseconds, such as 300_000.';
      return refuse(`must be true, false or a number, got ${describe(value)}`, hint);
    },
    { kind: '`true`, `false` or a number', byDefault: null },
  );
  /**
   * What to do while another running agent reads for this workspace: `wait` until it stops or is silent for 45 s;
   * `takeover`, which ends it with the outcome `superseded`; `fail`: `start()` rejects with `workspace_in_use`, and a
   * running agent ends as `superseded`. Replicas with `delivery: 'push'` do not read, and run beside each other. @default 'wait'
   */
  onConflict = word(CONFLICT_POLICIES, 'wait');
}

/** How an agent receives and handles messages. */
export class AgentShape {
  /**
   * How messages arrive. @default `'auto'`: push when the client has a `reportedUrl` and the platform reaches the agent
   * there, switching with it; else long-poll, or poll where the platform does not hold requests
   */
  delivery = deliveryOption();
  /**
   * Maximum number of messages handled at the same time; those of one conversation never overlap. With 1, an agent
   * that waits for a peer's answer cannot handle a message of that peer. @default 4
   */
  concurrency = number({ min: 1, isInteger: true, byDefault: 4 });
  /** Acknowledge before the handler runs: it never runs twice, but the message is lost when the process dies. @default false */
  atMostOnce = flag(false);
  /** On a pause: `wait` keeps sending heartbeats and continues after the resume, `stop` ends the agent. @default 'wait' */
  onPause = word(['wait', 'stop'], 'wait');
  /**
   * What a request to the agent's own URL must carry. `peer-tokens`: a token that the platform signed, in production and
   * in dev mode. `shared-secret`: the secret that the platform sent, as bearer; `{ sharedSecret }`: this one, at least 16 characters. Only
   * the platform may know it, and is believed like the platform. `none`: nothing; the source of each message is `unknown`.
   * @default 'peer-tokens'
   */
  inboundAuth = inboundAuthOption();
  /** Stores position, progress and dead letters. @default `inbound.jsonl` in the `storage.directory` of the client */
  store = withMethods<InboundStore>(['load', 'append', 'replace'], STORE_HINT);
  /** How often a handler that fails is called again. */
  retry = optionsSchema(new RetryShape());
  /** How much the agent reads, and how long it waits. */
  limits = optionsSchema(new AgentLimits());
  /** How the agent stays online, and what it does when it cannot. */
  presence = optionsSchema(new PresenceShape());
}

/** Options of `createRemoteAgent`. */
export interface RemoteAgentOptions extends OptionsOf<AgentShape> {
  /** Not closed by the agent, which ends when it is closed: stop the agent first. */
  client: PeerClient;
  /** Handles each new message to the agent, those that name one of its `skills` excepted. Needed unless there are skills. */
  onMessage?: MessageHandler | undefined;
  /** Handlers for messages that name a skill, made by `handleSkill`; the card of the agent gets their descriptions. @default none */
  skills?: readonly SkillHandler[] | undefined;
  /**
   * Handles the answers to questions of the agent, and how messages ended that no call waits for. Without it a message whose handler asks fails, and a late end is
   * the event `answer-unhandled`. @default what the handler of an adapter does with answers
   */
  onAnswer?: AnswerHandler | undefined;
}

function isSkillHandler(value: unknown): value is SkillHandler {
  const { skill, handle } = Object(value);
  return typeof handle === 'function' && typeof Object(skill).id === 'string';
}

function handler<Handler>(hint: string) {
  return option<Handler>((value, refuse) => {
    if (typeof value === 'function') return value as Handler;
    return refuse(`must be a function, got ${describe(value)}`, hint);
  });
}

const REMOTE_AGENT_OPTIONS = optionsSchema({
  client: option<PeerClient>((value, refuse) => {
    if (findClientPort(value) !== undefined) return value as PeerClient;
    return refuse(`must be a RemoteAgentClient, got ${describe(value)}`, 'Pass a RemoteAgentClient.');
  }),
  onMessage: handler<MessageHandler>(MESSAGE_HINT).optional(),
  skills: option<readonly SkillHandler[]>(
    (value, refuse) => {
      if (!Array.isArray(value) || !value.every(isSkillHandler))
        return refuse('must be a list of what handleSkill() returns');
      const ids = value.map(({ skill }) => skill.id);
      const twice = ids.find((id, at) => ids.indexOf(id) !== at);
      return twice === undefined ? value : refuse(`has two skills with the id "${twice}"`);
    },
    { kind: 'a list', byDefault: [] },
  ),
  onAnswer: handler<AnswerHandler>('Pass the handler of answers, or leave it out.').optional(),
  ...new AgentShape(),
});

/** The checked {@link RemoteAgentOptions}, with all defaults. */
export interface RemoteAgentSettings
  extends Omit<SettingsOf<AgentShape>, 'delivery' | 'inboundAuth' | 'store' | 'limits' | 'presence'>,
    Omit<SettingsOf<AgentLimits>, 'readAhead'>,
    Omit<SettingsOf<PresenceShape>, 'exitWhenDead'>,
    InboundCheck {
  readonly client: PeerClient;
  /** What the agent uses of the client. */
  readonly port: ClientPort;
  readonly onMessage: MessageHandler;
  readonly onAnswer?: AnswerHandler | undefined;
  readonly delivery: InboundDelivery;
  /** The name of the delivery, or `own`. */
  readonly deliveryChoice: ChosenDelivery['choice'];
  readonly readAhead: number;
  readonly store: InboundStore;
  /** Whether the agent locks the state folder. */
  readonly usesFolder: boolean;
  /** `null` for never. */
  readonly exitAfterMs: number | null;
  readonly random: RandomSource;
}

/** @throws ConfigurationError naming the option. */
export function resolveRemoteAgentOptions(options: RemoteAgentOptions): RemoteAgentSettings {
  const given = parseOptions('createRemoteAgent', REMOTE_AGENT_OPTIONS, options);
  const { client, onMessage } = options;
  const port = clientPort(client);
  if (onMessage === undefined && given.skills.length === 0) {
    throw new ConfigurationError('onMessage is missing.', { hint: MESSAGE_HINT });
  }
  port.offerSkills(given.skills.map(({ skill }) => skill));
  const { delivery, inboundAuth, store, limits, presence, concurrency, ...rest } = given;
  const { readAhead = Math.max(MIN_READ_AHEAD, concurrency) } = limits;
  const { exitWhenDead: exitAfterMs, ...presenceSettings } = presence;
  if (readAhead < concurrency) {
    throw new ConfigurationError(
      `limits.readAhead must be at least concurrency, ${concurrency}, got ${readAhead}.`,
      { hint: 'Leave limits.readAhead out, or lower concurrency.' },
    );
  }
  if (delivery.choice === 'push' && port.reportedUrl === null) {
    throw new ConfigurationError(
      'delivery "push" needs reportedUrl, the URL under which the platform reaches the agent.',
      { hint: 'Set reportedUrl of the client, or use delivery "long-poll", which needs no URL.' },
    );
  }
  return Object.freeze({
    ...rest,
    ...limits,
    ...presenceSettings,
    ...inboundAuth,
    client,
    port,
    onMessage: bySkill(given.skills, onMessage),
    concurrency,
    readAhead,
    delivery: delivery.delivery,
    deliveryChoice: delivery.choice,
    store: store ?? new FileInboundStore(port.stateDirectory),
    usesFolder: store === undefined,
    exitAfterMs,
    random: port.random ?? Math.random,
  });
}
