import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

/** The name under which this process holds leases: machine, process id and one start of the platform. */
export function newLeaseOwner(): string {
  return `${hostname()}:${process.pid}:${randomUUID()}`;
}

/**
 * Whether a lease was left by a process that is no more: one of this machine whose id is free, or an earlier
 * start under our own id. For other machines only the lease's own end tells.
 */
export function isLeftBehind(owner: string, self: string): boolean {
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
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
