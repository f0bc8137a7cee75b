/** Everything the demo promises, in the order in which it is shown. */
const PROMISES = {
  processes: 'the platform and four agents are five processes of their own',
  online: 'each agent registered itself, and the platform sees it online',
  asked: 'the parent found its children and asked each',
  siblings: 'two children asked each other, through tools of their frameworks',
  answered: 'all children answered their parent',
  direct: 'the agent with a URL was called by its peers directly, without the platform',
  wrapped: 'the platform marked every answer of a peer that it carried as a peer’s',
  fenced: 'a model reads a peer’s text only inside a fence',
  'peer-pieces': 'the parent read a child’s answer in pieces: plain for people, fenced for a model',
  streamed: 'the user read pieces of the parent’s answer before it was complete',
  joined: 'these pieces, joined, are the answer that the platform stored',
  stripped: 'the user reads what all children know, without marks',
  pushed: 'the platform pushed a message to the agent with a URL',
  'long-polled': 'when its server was gone, messages reached it by long-poll, each of them once',
  'pushed-again': 'when its server was back, the next message was pushed',
  queued: 'two messages to a killed agent wait on the platform',
  once: 'after its restart it handled each of them once and answered it once',
  'gave-up': 'an agent gave up: its sender learned why at once, and nothing was tried again',
  undecided: 'the peer that caused a roll-back said yes, and nothing was approved',
  approved: 'the operator approved: the agent acted once, and the peer got the answer',
  paused: 'a paused agent ended by itself: “paused”, exit code 0',
  removed: 'a removed agent ended by itself: “removed”, exit code 0',
  closed: 'an application of Nest that got SIGTERM ended its agent, then closed what its handlers use',
  stopped: 'an agent that was asked to stop ended: “stopped”, exit code 0',
  clean: 'no process and no temporary file is left',
} as const;

export type CheckName = keyof typeof PROMISES;

export interface Verdict {
  readonly name: CheckName;
  readonly title: string;
  readonly holds: boolean;
  /** What was found instead. */
  readonly found: string;
}

/** Collects the result of each promise. A promise without a result is broken. */
export class Checks {
  readonly #found = new Map<CheckName, string | true>();
  readonly #leftOut = new Set<CheckName>();

  /** `found` says what was there instead, for a failed run. */
  record(name: CheckName, holds: boolean, found: () => string): void {
    this.#found.set(name, holds || found());
  }

  /** Not part of this run. */
  leaveOut(...names: CheckName[]): void {
    for (const name of names) this.#leftOut.add(name);
  }

  get verdicts(): Verdict[] {
    const names = (Object.keys(PROMISES) as CheckName[]).filter((name) => !this.#leftOut.has(name));
    return names.map((name) => {
      const found = this.#found.get(name) ?? 'not reached';
      return { name, title: PROMISES[name], holds: found === true, found: String(found) };
    });
  }
}
