import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate for `localhost`, signed by itself. */
const SELF_SIGNED = new URL('../../conformance/data/self-signed.json', import.meta.url);

/** Paths of files in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Writes certificate and key into a folder. */
export function writeCertificate(folder: string): Certificate {
  const { cert, key } = JSON.parse(readFileSync(SELF_SIGNED, 'utf8')) as Certificate;
  const files = { cert: join(folder, 'fullchain.pem'), key: join(folder, 'privkey.pem') };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key, { mode: 0o600 });
  return files;
}

/** Node reads `NODE_EXTRA_CA_CERTS` when a process starts, so it is set before vitest starts those of the suites. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-certificate-'));
  process.env.NODE_EXTRA_CA_CERTS = writeCertificate(folder).cert;
  return () => rmSync(folder, { recursive: true, force: true });
}
