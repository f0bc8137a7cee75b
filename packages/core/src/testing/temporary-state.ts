import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A state folder of a test, by the name of the option of `RemoteAgentClient`. */
export interface TemporaryState extends Disposable {
  readonly stateDirectory: string;
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
  const stateDirectory = join(tmpdir(), `molecule-test-${randomUUID()}`);
  const remove = () => rmSync(stateDirectory, { recursive: true, force: true });
  // Inherited: spread into options, it is `stateDirectory` only.
  const methods = { remove, [Symbol.dispose]: remove };
  return Object.assign(Object.create(methods) as typeof methods, { stateDirectory });
}
