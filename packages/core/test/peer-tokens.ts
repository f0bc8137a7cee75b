import { randomUUID } from 'node:crypto';
import type { Jwks } from '@molecule-ai/protocol';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { PEER, SELF } from './agent-ids.ts';
import type { ManualClock } from './manual-clock.ts';

export const ISSUER = 'https://platform.test';

/** Signs tokens as the platform does, and publishes its keys. */
export class TestSigner {
  readonly #clock: ManualClock;
  readonly #keys: { readonly kid: string; readonly pair: Awaited<ReturnType<typeof generateKeyPair>> }[] = [];

  private constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  static async start(clock: ManualClock): Promise<TestSigner> {
    const signer = new TestSigner(clock);
    await signer.rotate();
    return signer;
  }

  /** Signs with a new key from now on; the last two are published. */
  async rotate(): Promise<void> {
    this.#keys.push({ kid: randomUUID(), pair: await generateKeyPair('EdDSA', { extractable: true }) });
  }

  async jwks(): Promise<Jwks> {
    const keys = await Promise.all(
      this.#keys.slice(-2).map(async ({ kid, pair }) => {
        const { x = '' } = await exportJWK(pair.publicKey);
        return { kty: 'OKP', crv: 'Ed25519', x, kid } as const;
      }),
    );
    return { keys };
  }

  /** A valid token of a push from a peer, changed by `claims`. */
  async token(
    claims: JWTPayload = {},
    header: { readonly alg?: string; readonly kid?: string } = {},
  ): Promise<string> {
    const { kid, pair } = this.#keys.at(-1) ?? { kid: '', pair: undefined };
    if (pair === undefined) throw new Error('The signer has no key.');
    const now = Math.floor(this.#clock.now() / 1_000);
    return new SignJWT({
      iss: ISSUER,
      aud: SELF,
      sub: PEER,
      use: 'push',
      jti: randomUUID(),
      iat: now,
      exp: now + 300,
      ...claims,
    })
      .setProtectedHeader({ alg: 'EdDSA', kid, ...header })
      .sign(pair.privateKey);
  }
}
