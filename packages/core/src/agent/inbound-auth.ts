import { createHash, timingSafeEqual } from 'node:crypto';
import type { InboundAccess } from '../inbound-http/inbound-agent.ts';
import {
  describe,
  isObject,
  type Option,
  option,
  optionsSchema,
  type SettingsOf,
} from '../settings/options.ts';

const SECRET = /^[\x21-\x7e]{16,}$/;

/**
 * What a request to the agent's own URL must carry. `peer-tokens`: a token that the platform signed, in production and in dev mode.
 * `shared-secret`: the secret that the platform sent, as bearer, or `sharedSecret`, at least 16 characters; only the platform may know it, and
 * is believed like the platform. `none`: nothing; the source of each message is `unknown`.
 */
export type InboundAuth = 'peer-tokens' | 'none' | 'shared-secret' | { readonly sharedSecret: string };

const WORDS = ['peer-tokens', 'none', 'shared-secret'] as const;

/** How requests are checked. */
export interface InboundCheck {
  readonly inboundAuth: (typeof WORDS)[number];
  /** Of `shared-secret`; `null` for the one that the platform sent. */
  readonly inboundSecret: string | null;
}

const OWN_SECRET = {
  sharedSecret: option<string>((value, refuse) => {
    if (typeof value === 'string' && SECRET.test(value)) return value;
    return refuse(
      'must be at least 16 printable ASCII characters without white space',
      "Use inboundAuth: 'shared-secret' for the secret that the platform sends.",
    );
  }),
};

/** The option `inboundAuth`. */
export function inboundAuthOption(): Option<InboundCheck, InboundAuth> {
  return option<InboundCheck, InboundAuth>(
    (value = 'peer-tokens', refuse) => {
      if (isObject(value)) {
        const { sharedSecret } = value as SettingsOf<typeof OWN_SECRET>;
        return { inboundAuth: 'shared-secret', inboundSecret: sharedSecret };
      }
      const inboundAuth = WORDS.find((word) => word === value);
      if (inboundAuth !== undefined) return { inboundAuth, inboundSecret: null };
      return refuse(
        `must be "peer-tokens", "none", "shared-secret" or an object with sharedSecret, got ${describe(value)}`,
        'Leave it out for "peer-tokens".',
      );
    },
    {
      kind: "`'peer-tokens'`, `'none'`, `'shared-secret'` or `{ sharedSecret }`",
      group: optionsSchema(OWN_SECRET),
    },
  );
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
