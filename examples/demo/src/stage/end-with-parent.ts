import { isMainThread } from 'node:worker_threads';

/*
 * Preloaded into each process of the demo. The demo holds the other end of their stdin; should it vanish
 * without a word (SIGKILL), the pipe closes and nothing stays behind. Unreferenced: it keeps nobody alive.
 */
if (isMainThread) {
  process.stdin.once('close', () => process.exit(1));
  process.stdin.resume();
  process.stdin.unref();
}
