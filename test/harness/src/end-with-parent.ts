import { isMainThread } from 'node:worker_threads';

/*
 * Preloaded into each process that ProgramProcess starts. The parent holds the other end of its stdin: should the
 * parent be killed, the pipe closes and the process ends as well. Unreferenced, it keeps no process alive.
 */
if (isMainThread) {
  process.stdin.once('close', () => process.exit(1));
  process.stdin.resume();
  process.stdin.unref();
}
