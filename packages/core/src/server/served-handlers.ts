import type { SecureContextOptions } from 'node:tls';
import { ConfigurationError } from '../errors/molecule-error.ts';
import { checkInboundAgent, type InboundAgent } from '../inbound-http/inbound-agent.ts';
import {
  createInboundHandler,
  INBOUND_HANDLER_OPTION_NAMES,
  type InboundHandler,
  type InboundHandlerOptions,
} from '../inbound-http/inbound-handler.ts';

/** What a server serves, and how. */
export interface ServedOptions extends InboundHandlerOptions {
  /** The agent that is served on every path. Give either this, `agents` or `handler`. */
  agent?: InboundAgent | undefined;
  /** Several agents by the first segment of the path, such as their workspace ids. Any letter case. */
  agents?: Readonly<Record<string, InboundAgent>> | undefined;
  /** A handler of your own for every path. */
  handler?: InboundHandler | undefined;
}

/** The names of {@link ServedOptions}. */
export const SERVED_OPTION_NAMES = {
  ...INBOUND_HANDLER_OPTION_NAMES,
  agent: true,
  agents: true,
  handler: true,
} as const satisfies Record<keyof ServedOptions, true>;

/**
 * The handlers by the first segment of the path; `''` serves every path.
 * @throws ConfigurationError naming the option.
 */
export function handlersOf(options: ServedOptions): ReadonlyMap<string, InboundHandler> {
  const { agent, agents, handler, maxConcurrentRequests, holdSeconds } = options;
  const served = { maxConcurrentRequests, holdSeconds };
  if ([agent, agents, handler].filter((given) => given !== undefined).length !== 1) {
    throw new ConfigurationError('A2AServer needs exactly one of agent, agents and handler.');
  }
  if (handler !== undefined) {
    checkHandler('handler', handler);
    return new Map([['', handler]]);
  }
  if (agent !== undefined) return new Map([['', createInboundHandler(agent, served)]]);
  const entries = typeof agents === 'object' && agents !== null ? Object.entries(agents) : [];
  if (entries.length === 0 || entries.some(([segment]) => !/^[\w.~-]+$/.test(segment))) {
    throw new ConfigurationError(
      'agents must name at least one agent, each by one segment of a path without special characters.',
    );
  }
  for (const [segment, each] of entries) checkInboundAgent(`agents.${segment}`, each);
  return new Map(
    entries.map(([segment, each]) => [segment.toLowerCase(), createInboundHandler(each, served)]),
  );
}

/** @throws ConfigurationError naming the option. */
export function checkHandler(option: string, handler: unknown): void {
  if (typeof handler === 'function') return;
  throw new ConfigurationError(`${option} must be a function from Request to Response.`, {
    hint: 'For an agent it is what createInboundHandler(agent) returns.',
  });
}

/** Without this, a server without a valid certificate would listen, and each connection would fail. */
export function checkTls(tls: SecureContextOptions): void {
  const hint = 'Give key and cert in PEM format, or pfx, with their passphrase if they have one.';
  const given = typeof tls === 'object' && tls !== null ? tls : {};
  if (given.pfx === undefined && (given.key === undefined || given.cert === undefined)) {
    throw new ConfigurationError('tls needs key and cert, or pfx.', { hint });
  }
  try {
    process.getBuiltinModule('node:tls').createSecureContext(given);
  } catch (cause) {
    throw new ConfigurationError('tls is not valid: the key and the certificate cannot be used.', {
      hint,
      cause,
    });
  }
}
