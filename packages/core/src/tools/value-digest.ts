import { createHash } from 'node:crypto';

/**
 * SHA-256 of a value as JSON, in base64url; bytes count by their own digest. The same value gives the same in each process. `undefined` for what has no
 * form as JSON.
 */
export function valueDigest(value: unknown): string | undefined {
  try {
    const json = JSON.stringify(value, (_key, each: unknown) =>
      ArrayBuffer.isView(each) ? bytesDigest(each) : each,
    );
    return json === undefined ? undefined : createHash('sha256').update(json).digest('base64url');
  } catch {
    return undefined;
  }
}

function bytesDigest({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('base64url');
}
