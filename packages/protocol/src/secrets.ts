import * as z from 'zod';
import { columnText } from './field-limits.ts';
import { type WireType, wire } from './wire.ts';

const SCOPES = ['workspace', 'global'] as const;

/** A secret without its value. */
export const SecretRow = wire('SecretRow', (w) =>
  w.object({
    key: z.string(),
    has_value: z.boolean(),
    scope: w.oneOf(SCOPES),
    created_at: w.timestamp(),
    updated_at: w.timestamp(),
  }),
);
export type SecretRow = WireType<typeof SecretRow>;

/** Key → value. Answer of `GET /workspaces/:id/secrets/values`; `{}` if there are none. */
export const SecretValues = wire('SecretValues', () => z.record(z.string(), z.string()));
export type SecretValues = WireType<typeof SecretValues>;

/** Metadata of secrets, a bare array. */
export const SecretList = wire('SecretList', (w) => z.array(w.use(SecretRow)));
export type SecretList = WireType<typeof SecretList>;

/** Values together with metadata; only the workspace's own token gets it. */
export const SecretBundle = wire('SecretBundle', (w) =>
  w.object({ secrets: w.use(SecretValues), items: w.promised(w.use(SecretList)) }),
);
export type SecretBundle = WireType<typeof SecretBundle>;

/** Response of `GET /workspaces/:id/secrets` and `GET /secrets`, by caller and `format`. */
export const SecretsResponse = wire('SecretsResponse', (w) =>
  z.union([w.use(SecretBundle), w.use(SecretList), w.use(SecretValues)]),
);
export type SecretsResponse = WireType<typeof SecretsResponse>;

/** Query of `GET /workspaces/:id/secrets`. */
export const SecretsQuery = wire('SecretsQuery', (w) =>
  w.object({ format: z.enum(['values', 'metadata']).optional() }),
);
export type SecretsQuery = WireType<typeof SecretsQuery>;

/** Body of setting a secret; both non-empty. */
export const SetSecretRequest = wire('SetSecretRequest', (w) =>
  w.object({ key: columnText().min(1), value: z.string().min(1) }),
);
export type SetSecretRequest = WireType<typeof SetSecretRequest>;

/** Response of setting a secret; `scope` is `global` on the settings routes. */
export const SetSecretResponse = wire('SetSecretResponse', (w) =>
  w.object({ status: w.oneOf(['saved']), key: z.string(), scope: w.maybe(w.oneOf(SCOPES)) }),
);
export type SetSecretResponse = WireType<typeof SetSecretResponse>;

/** Response of deleting a secret. */
export const DeleteSecretResponse = wire('DeleteSecretResponse', (w) =>
  w.object({ status: w.oneOf(['deleted']), key: z.string(), scope: w.maybe(w.oneOf(SCOPES)) }),
);
export type DeleteSecretResponse = WireType<typeof DeleteSecretResponse>;

/** What `readSecrets` found in a response. */
export type ReadSecrets =
  | { readonly kind: 'values'; readonly values: SecretValues }
  | { readonly kind: 'metadata'; readonly keys: readonly string[] }
  | { readonly kind: 'unreadable' };

/**
 * Parses a response with secrets in any supported shape: a bundle, a flat map, or metadata without values. A secret
 * whose key is literally `secrets` is distinguished by the type of its value. Never throws.
 */
export function readSecrets(body: unknown): ReadSecrets {
  const list = SecretList.tolerant.safeParse(body);
  if (list.success) return { kind: 'metadata', keys: list.data.map((row) => row.key) };
  const flat = SecretValues.tolerant.safeParse(body);
  if (flat.success) return { kind: 'values', values: flat.data };
  const bundle = SecretBundle.tolerant.safeParse(body);
  if (bundle.success) return { kind: 'values', values: bundle.data.secrets };
  return { kind: 'unreadable' };
}
