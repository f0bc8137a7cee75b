/** A loop of the client that runs beside the test. */
export interface StartedLoop {
  readonly outcome: Promise<string>;
  readonly ended: boolean;
  /** Aborts its signal and waits for its end. */
  stop(): Promise<void>;
}

/** Starts a loop that ends with a word. */
export function startLoop(run: (signal: AbortSignal) => Promise<string>): StartedLoop {
  const controller = new AbortController();
  let ended = false;
  const outcome = run(controller.signal).finally(() => {
    ended = true;
  });
  // Whoever awaits the outcome sees a failure; until then it must not end the process.
  outcome.catch(() => {});
  return {
    outcome,
    get ended() {
      return ended;
    },
    stop: async () => {
      controller.abort();
      await outcome.catch(() => {});
    },
  };
}
