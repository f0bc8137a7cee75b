import crypto from 'node:crypto';
import { refencePeerText } from '@molecule-ai/protocol';

const NONCE_LENGTH = 32;

/**
 * `fencePeerText`, with a nonce that is derived from the text and absent from it: the same text has the same bytes each time
 * and in each process, so that a prompt which contains it stays in the caches of models.
 */
export function fenceRepeatably(text: string, { origin }: { readonly origin: string }): string {
  const searched = text.toLowerCase();
  for (let attempt = 0; ; attempt += 1) {
    const input = JSON.stringify(['fence', origin, text, attempt]);
    const nonce = crypto.hash('sha256', input).slice(0, NONCE_LENGTH);
    if (!searched.includes(nonce)) return refencePeerText(text, { origin, nonce });
  }
}
