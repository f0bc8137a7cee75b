import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { errorFacts } from '../../foreign-error.ts';

/** The name under which this process holds leases: machine, process id and one start of the platform. */
export function newLeaseOwner(): string {
  return `${hostname()}:${process.pid}:${randomUUID()}`;
}

/**
 * Whether the process that held a lease has ended: one of this machine whose process id is unused, or an earlier start
 * with our own id. A lease of another machine is valid until it expires.
 */
export function isAbandoned(owner: string, self: string): boolean {
  if (owner === self) return false;
  const match = /^(.*):(\d+):[^:]+$/.exec(owner);
  if (match === null || match[1] !== hostname()) return false;
  const pid = Number(match[2]);
  return pid === process.pid || !isRunning(pid);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorFacts(error).code !== 'ESRCH';
  }
}
