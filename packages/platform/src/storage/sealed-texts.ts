import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const PURPOSE = 'molecule platform: texts in the database';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Secret texts as they are stored in the database: encrypted with a key that is derived from `SECRETS_ENCRYPTION_KEY`,
 * or, without one, as they are. Each belongs to its `place`, so a text that was copied to another row cannot be opened.
 */
export class SealedTexts {
  readonly #key: Buffer | undefined;

  constructor(secretsEncryptionKey: string | undefined) {
    if (secretsEncryptionKey === undefined) return;
    const bytes = Buffer.from(secretsEncryptionKey, secretsEncryptionKey.length === 44 ? 'base64' : 'utf8');
    this.#key = Buffer.from(hkdfSync('sha256', bytes, '', PURPOSE, 32));
  }

  seal(text: string, place: string): string {
    if (this.#key === undefined) return `plain.${text}`;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(Buffer.from(place));
    const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `v1.${sealed.toString('base64url')}`;
  }

  /** The text; undefined when it was sealed with another key or for another place, or is damaged. */
  open(sealed: string, place: string): string | undefined {
    const dot = sealed.indexOf('.');
    const content = sealed.slice(dot + 1);
    if (this.#key === undefined) return sealed.startsWith('plain.') ? content : undefined;
    const bytes = Buffer.from(content, 'base64url');
    if (!sealed.startsWith('v1.') || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, NONCE_BYTES))
      .setAAD(Buffer.from(place))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }
}
