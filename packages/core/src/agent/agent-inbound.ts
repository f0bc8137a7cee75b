import { type AgentCard, type JsonObject, toA2aCard } from '@molecule-ai/protocol';
import { withStreaming } from '../client/registration.ts';
import { ConfigurationError } from '../errors/molecule-error.ts';
import type { Inbound } from '../inbound/inbound.ts';
import type {
  InboundAccess,
  InboundCaller,
  InboundPort,
  InboundRequest,
  InboundResult,
  InboundStream,
} from '../inbound-http/inbound-agent.ts';
import type { Logger } from '../logging/logger.ts';
import type { HeartbeatLoop } from '../presence/heartbeat-loop.ts';
import type { RemoteAgentSettings } from './agent-options.ts';
import type { AgentReport } from './agent-report.ts';
import { bearerOf, hasSecret, unauthorized } from './inbound-auth.ts';
import { PeerTokenVerifier } from './peer-token-verifier.ts';
import type { AgentWatch } from './watch.ts';

/** Between two warnings. */
const WARNING_INTERVALS_MS = { body: 60_000, secret: 60_000, clock: 3_600_000 } as const;

export interface AgentInboundOptions {
  readonly settings: Pick<RemoteAgentSettings, 'port' | 'deliveryChoice' | 'inboundAuth' | 'inboundSecret'>;
  readonly inbound: Inbound;
  readonly logger: Logger;
  readonly report: AgentReport;
  readonly presence: Pick<HeartbeatLoop, 'stateChanged' | 'registrationNeeded'>;
  readonly watch: Pick<AgentWatch, 'pushed' | 'serverChanged'>;
}

/** The receiving side of an agent, for the server of its own URL. */
export class AgentInbound implements InboundPort {
  readonly find: InboundPort['find'] = (...asked) => this.#options.inbound.requests.find(...asked);
  readonly cancel: InboundPort['cancel'] = (...asked) => this.#options.inbound.requests.cancel(...asked);
  readonly resubscribe: InboundPort['resubscribe'] = (...asked) =>
    this.#options.inbound.requests.resubscribe(...asked);
  readonly #options: AgentInboundOptions;
  readonly #verifier: PeerTokenVerifier;
  /** Whether requests are served. */
  #isAttached = false;
  /** When each problem with requests was last logged. */
  readonly #loggedAt = new Map<keyof typeof WARNING_INTERVALS_MS, number>();

  constructor(options: AgentInboundOptions) {
    this.#options = options;
    this.#verifier = new PeerTokenVerifier({
      client: options.settings.port,
      onIssuerChanged: () => options.presence.registrationNeeded(),
      onClockSkew: (skewMs) => this.#clockSkewed(skewMs),
    });
  }

  /** @throws ConfigurationError for an agent whose URL is announced and not served. */
  checkServed(): void {
    const { port, deliveryChoice } = this.#options.settings;
    const isAnnounced = port.reportedUrl !== null && ['push', 'auto'].includes(deliveryChoice);
    if (this.#isAttached || !isAnnounced) return;
    throw new ConfigurationError('The client has a reportedUrl, but nothing serves the agent there.', {
      hint: 'Mount createInboundHandler(agent) or start an A2AServer before agent.start(), or set delivery to "long-poll".',
    });
  }

  /** Call with the issuer of each register response. */
  registered(issuer: string | null): void {
    this.#verifier.issuer = issuer;
  }

  attach(): void {
    const { settings, logger } = this.#options;
    if (!this.#isAttached && settings.inboundAuth === 'none') {
      const text = 'inboundAuth is "none": everybody who reaches the URL of this agent can send it messages.';
      logger.warn({}, text);
    }
    this.#isAttached = true;
  }

  serverChanged(): void {
    this.#options.watch.serverChanged();
  }

  bodyWasRead(): void {
    if (!this.#isDue('body')) return;
    const hint = 'Mount the handler of the agent before body parsers, such as express.json().';
    this.#options.logger.error({ hint }, 'Messages cannot be read: the server has read their body before.');
  }

  /** Complete for clients of A2A 0.3 and 1.0 where the agent knows its address; what the application wrote is kept. */
  card(): JsonObject {
    const { agentCard, reportedUrl } = this.#options.settings.port;
    const given = withStreaming(agentCard as JsonObject);
    const url = typeof given.url === 'string' ? given.url : reportedUrl;
    if (url === null) return given;
    const { skills, ...full } = toA2aCard(given, { name: '', role: null, url, takesBothVersions: true });
    return { ...full, ...given, skills } as JsonObject;
  }

  /** The card to register; `undefined` for that of the client. */
  get registeredCard(): AgentCard | undefined {
    return this.#isAttached ? withStreaming(this.#options.settings.port.agentCard as JsonObject) : undefined;
  }

  authenticate(headers: Pick<Headers, 'get'>): InboundAccess | Promise<InboundAccess> {
    const { inboundAuth } = this.#options.settings;
    if (inboundAuth === 'none') return granted('unknown');
    if (inboundAuth === 'shared-secret') return this.#authenticateBySecret(headers);
    const token = bearerOf(headers);
    if (token !== null) return this.#verifier.verify(token);
    const hint = 'Send the token of a push, or peer_token of the discovery, in Authorization: Bearer.';
    return unauthorized('The request has no token.', hint);
  }

  async #authenticateBySecret(headers: Pick<Headers, 'get'>): Promise<InboundAccess> {
    const { port, inboundSecret } = this.#options.settings;
    const secret = inboundSecret ?? (await port.currentInboundSecret());
    if (secret === undefined) this.#warnOfSecret();
    if (secret !== undefined && hasSecret(headers, secret)) return granted('push');
    const hint = 'Send the sharedSecret of the agent, or the secret that its platform gave it, as bearer.';
    return unauthorized('The secret is missing or wrong.', hint);
  }

  receive(request: InboundRequest): Promise<InboundResult> {
    this.#notePush(request.caller);
    return this.#options.inbound.requests.receive(request);
  }

  stream(request: Omit<InboundRequest, 'holdMs'>): Promise<InboundStream | InboundResult> {
    this.#notePush(request.caller);
    return this.#options.inbound.requests.stream(request);
  }

  stateChanged(status: string): void {
    this.#options.presence.stateChanged(status);
  }

  #notePush({ use }: InboundCaller): void {
    if (use === 'push') this.#options.watch.pushed();
  }

  /** `null`: the clock is right. */
  #clockSkewed(skewMs: number | null): void {
    const { report, logger } = this.#options;
    if (skewMs === null) report.recovered('clock-skew');
    if (skewMs === null || report.isDegraded('clock-skew')) return;
    const seconds = Math.round(Math.abs(skewMs) / 1_000);
    const side = skewMs > 0 ? 'ahead of' : 'behind';
    const error = new ConfigurationError(
      `The clock of this machine is about ${seconds} s ${side} that of the platform: its pushes cannot be verified and wait.`,
      { hint: 'Set the clock, for example by NTP.' },
    );
    // Near the limit, tokens are refused and accepted in turn.
    if (this.#isDue('clock')) {
      logger.warn({ error, skewSeconds: Math.round(skewMs / 1_000) }, 'The clock of this machine is wrong.');
    }
    report.degraded('clock-skew', error);
  }

  #warnOfSecret(): void {
    if (!this.#isDue('secret')) return;
    const hint = 'Set inboundAuth: { sharedSecret }: the platform has sent none.';
    const text = 'inboundAuth is "shared-secret" without a secret: each request is refused.';
    this.#options.logger.warn({ hint }, text);
  }

  #isDue(problem: keyof typeof WARNING_INTERVALS_MS): boolean {
    const now = this.#options.settings.port.clock.monotonic();
    const sinceMs = now - (this.#loggedAt.get(problem) ?? Number.NEGATIVE_INFINITY);
    const isDue = sinceMs >= WARNING_INTERVALS_MS[problem];
    if (isDue) this.#loggedAt.set(problem, now);
    return isDue;
  }
}

function granted(use: InboundCaller['use']): InboundAccess {
  return { kind: 'granted', caller: { use, subject: '' }, tokenId: '' };
}
