import { createHash, timingSafeEqual } from 'node:crypto';
import { ConfigurationError } from '../errors/molecule-error.ts';
import type { InboundAccess } from '../inbound-http/inbound-agent.ts';
import { checkWord } from '../settings/checked-values.ts';

const INBOUND_AUTHS = ['peer-tokens', 'shared-secret', 'none'] as const;
const MIN_SECRET_LENGTH = 16;
const SECRET = /^[\x21-\x7e]{16,}$/;

/** What a request to the agent's own URL must carry. */
export type InboundAuth = (typeof INBOUND_AUTHS)[number];

/** The options about the credentials of requests. @throws ConfigurationError naming the option. */
export function checkInboundAuth(options: {
  readonly inboundAuth?: InboundAuth | undefined;
  readonly inboundSecret?: string | undefined;
}): { readonly inboundAuth: InboundAuth; readonly inboundSecret: string | null } {
  const { inboundSecret } = options;
  const inboundAuth = checkWord('inboundAuth', options.inboundAuth, INBOUND_AUTHS) ?? 'peer-tokens';
  if (inboundSecret === undefined) return { inboundAuth, inboundSecret: null };
  if (inboundAuth !== 'shared-secret') {
    throw new ConfigurationError('inboundSecret is for inboundAuth "shared-secret" only.', {
      hint: 'Set inboundAuth to "shared-secret", or leave inboundSecret out.',
    });
  }
  if (typeof inboundSecret !== 'string' || !SECRET.test(inboundSecret)) {
    throw new ConfigurationError(
      `inboundAuth "shared-secret" needs inboundSecret, at least ${MIN_SECRET_LENGTH} printable ASCII characters without white space.`,
      { hint: 'Leave inboundSecret out for the secret that the platform sends.' },
    );
  }
  return { inboundAuth, inboundSecret };
}

/** The bearer of a request; `null` when it has none. */
export function bearerOf(headers: Pick<Headers, 'get'>): string | null {
  const value = headers.get('authorization') ?? '';
  return /^bearer +([\x21-\x7e]+)$/i.exec(value)?.[1] ?? null;
}

/** Compares in a time that says nothing of the secret. */
export function hasSecret(headers: Pick<Headers, 'get'>, secret: string): boolean {
  const digestOf = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digestOf(bearerOf(headers) ?? ''), digestOf(secret));
}

/** The refusal of a request without a valid credential. Nothing of the credential is in it. */
export function unauthorized(message: string, hint: string): InboundAccess {
  return { kind: 'refused', refusal: { status: 401, code: 'unauthorized', message, hint } };
}
