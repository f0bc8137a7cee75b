import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A state folder of a test, as an option of `RemoteAgentClient`. */
export interface TemporaryState extends Disposable {
  readonly storage: { readonly directory: string };
  /** Deletes the folder. Stop its agents before. */
  remove(): void;
}

/**
 * A state folder that ends with the test. It is created by the client that first stores something, and keeps what agents need
 * when they start again: the token, the position in the feed, what was done.
 *
 * @example
 * using state = temporaryState();
 * const client = new RemoteAgentClient({ ...platform, ...workspace, ...state });
 */
export function temporaryState(): TemporaryState {
  const directory = join(tmpdir(), `molecule-test-${randomUUID()}`);
  const remove = () => rmSync(directory, { recursive: true, force: true });
  // Inherited: spread into options, it is `storage` only.
  const methods = { remove, [Symbol.dispose]: remove };
  return Object.assign(Object.create(methods) as typeof methods, { storage: { directory } });
}
