import { AddressRefusedError } from '@molecule-ai/net-guard';
import { PROBE_CLOCK_SKEW, PROBE_HEADER, type ProbeReason, type ProbeResponse } from '@molecule-ai/protocol';
import sendRequest from 'undici/lib/api/api-request.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import type { PlatformContext } from '../context.ts';
import { HttpError } from '../http/http-error.ts';
import { RateBucket } from '../http/rate-limits.ts';
import type { PeerTokensService } from '../peer-tokens/peer-tokens.service.ts';

/** Probes a minute of one workspace. */
const PROBES_A_MINUTE = 6;
/** Time for all requests of one probe, in milliseconds. */
const TIME_LIMIT_MS = 8_000;
const CARD_PATH = '/.well-known/agent-card.json';

export interface AgentProbeOptions
  extends Pick<PlatformContext, 'addressGuard' | 'clock' | 'shutdown' | 'workspaces'> {
  readonly peerTokens: Pick<PeerTokensService, 'forProbe'>;
}

/**
 * Finds out whether the platform reaches the server of an agent: it requests the card with a token, and the agent
 * returns the id of that token, which only a server that has received it knows. See docs/contract/presence.md#probe.
 */
export class AgentProbe {
  readonly #options: AgentProbeOptions;
  readonly #rate: RateBucket;

  constructor(options: AgentProbeOptions) {
    this.#options = options;
    this.#rate = new RateBucket(options.clock, PROBES_A_MINUTE);
  }

  /**
   * @param givenUrl the URL to try; without one, that of the workspace
   * @throws HttpError 400 `url_required` when there is none, 429 above the rate
   */
  async probe(workspaceId: string, givenUrl: string | undefined): Promise<ProbeResponse> {
    const { addressGuard, peerTokens, workspaces } = this.#options;
    const row = await workspaces.require(workspaceId);
    const text = givenUrl?.trim() || (row.url ?? '');
    if (text === '') throw urlRequired();
    this.#countProbe(workspaceId);
    const check = addressGuard.checkUrl(text);
    if (!check.ok) return unreachable('refused_address');
    const { token, jti } = await peerTokens.forProbe(workspaceId);
    return this.#request(check.url, { authorization: `Bearer ${token}`, accept: 'application/json' }, jti);
  }

  #countProbe(workspaceId: string): void {
    const { isAllowed, resetMs } = this.#rate.take(workspaceId);
    if (isAllowed) return;
    const seconds = Math.max(1, Math.ceil(resetMs / 1_000));
    throw new HttpError(429, 'rate_limited', 'too many probes', {
      retry_after: seconds,
      scope: 'probe',
      hint: `A workspace may be probed ${PROBES_A_MINUTE} times a minute.`,
    });
  }

  /** Tries each place of the card until the agent responds at one. */
  async #request(url: URL, headers: Record<string, string>, jti: string): Promise<ProbeResponse> {
    const { addressGuard, clock, shutdown } = this.#options;
    const ending = new AbortController();
    const end = () => ending.abort();
    const cancelTimer = clock.schedule(TIME_LIMIT_MS, end);
    shutdown.addEventListener('abort', end, { once: true });
    const agent = new Agent({ connect: addressGuard.connect, connections: 1 });
    let result: ProbeResponse | undefined;
    try {
      for (const path of cardPaths(url)) {
        const next = await requestCard(agent, { url, path, headers, jti, signal: ending.signal });
        if (next.status === null || next.reachable) return next;
        result = moreSpecific(result, next);
      }
      return result ?? unreachable('connection_failed');
    } finally {
      cancelTimer();
      shutdown.removeEventListener('abort', end);
      await agent.destroy();
    }
  }
}

interface CardRequest {
  readonly url: URL;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly jti: string;
  readonly signal: AbortSignal;
}

/** One request. Nothing of the body is read, and a redirect is not followed. */
async function requestCard(agent: Agent, request: CardRequest): Promise<ProbeResponse> {
  const { url, path, headers, jti, signal } = request;
  try {
    const response = await sendRequest.call(agent, {
      origin: url.origin,
      path,
      method: 'GET',
      headers,
      signal,
    });
    response.body.on('error', () => undefined).destroy();
    const { statusCode: status } = response;
    const shown = response.headers[PROBE_HEADER];
    if (status === 200 && shown === jti) return { reachable: true, reason: null, status };
    if (status !== 200) return unreachable('wrong_status', status);
    if (shown === PROBE_CLOCK_SKEW) return unreachable('clock_skew', status);
    return unreachable(shown === undefined ? 'no_probe_header' : 'wrong_probe_header', status);
  } catch (error) {
    return unreachable(signal.aborted ? 'timeout' : reasonOf(error));
  }
}

/** At the origin, as A2A has it; in the folder of the URL and below it, for an agent that does not have the origin. */
function cardPaths(url: URL): readonly string[] {
  const path = url.pathname.replace(/\/+$/, '');
  const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
  return [...new Set(['', folder, path])].map((base) => `${base}${CARD_PATH}`);
}

const SPECIFIC: readonly unknown[] = ['wrong_status', 'no_probe_header', 'wrong_probe_header', 'clock_skew'];

function moreSpecific(first: ProbeResponse | undefined, second: ProbeResponse): ProbeResponse {
  return first !== undefined && SPECIFIC.indexOf(first.reason) >= SPECIFIC.indexOf(second.reason)
    ? first
    : second;
}

function reasonOf(error: unknown): ProbeReason {
  if (AddressRefusedError.isInstance(error)) return 'refused_address';
  const value = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  const code = typeof value === 'string' ? value : '';
  if (/^(ENOTFOUND|ENODATA|EAI_)/.test(code)) return 'name_not_found';
  if (code === 'ECONNREFUSED') return 'connection_refused';
  if (/TIMEDOUT|TIMEOUT/.test(code)) return 'timeout';
  return /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_)/.test(code)
    ? 'tls_failed'
    : 'connection_failed';
}

function unreachable(reason: ProbeReason, status: number | null = null): ProbeResponse {
  return { reachable: false, reason, status };
}

function urlRequired(): HttpError {
  return new HttpError(400, 'url_required', 'the workspace has no URL to probe', {
    field: 'url',
    hint: 'Send the url that the agent would register.',
  });
}
