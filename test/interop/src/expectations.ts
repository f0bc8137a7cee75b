import type { Outcome } from './client-program.ts';
import type { A2aVersion, Agent, Client } from './participants.ts';

/** A client and an agent, and the version of A2A in which they understand each other. */
export interface Pairing {
  readonly client: Client;
  readonly agent: Agent;
  /** Null when each speaks only what the other does not. */
  readonly version: A2aVersion | null;
  /** The card that the client is given, instead of the one that its SDK asks the platform for. */
  readonly card?: object;
}

/** The card that the platform serves. */
export async function cardOf({ client, agent }: Pairing): Promise<object> {
  const response = await fetch(`${agent.url}/.well-known/agent-card.json`, { headers: client.headers });
  if (!response.ok) throw new Error(`the card: ${response.status} ${await response.text()}`);
  return (await response.json()) as object;
}

/** Texts of peers reach a workspace in markers. */
export function wrapped(text: string): string {
  return `[A2A_RESULT_FROM_PEER]${text}[/A2A_RESULT_FROM_PEER]`;
}

export function expectOutcome(outcome: Outcome, expected: Readonly<Record<string, string | number>>): void {
  const actual = outcome as Readonly<Record<string, unknown>>;
  if (Object.entries(expected).some(([key, value]) => actual[key] !== value)) {
    fail(outcome, JSON.stringify(expected));
  }
}

/** An error of the platform, as far as the SDK shows it. */
export function expectRefusal({ client }: Pairing, outcome: Outcome, status: number, code: number): void {
  const shown = client.readsErrorBodies ? code : status;
  const isShown =
    outcome.kind === 'error' && (outcome.code === shown || outcome.message.includes(String(shown)));
  if (!isShown) fail(outcome, `an error with ${shown}`);
}

export function expectHttpError(outcome: Outcome, status: number): void {
  const isShown = outcome.kind === 'error' && outcome.message.includes(String(status));
  if (!isShown) fail(outcome, `an error with ${status}`);
}

export function fail(outcome: Outcome, expected: string): never {
  throw new Error(`expected ${expected}, got ${JSON.stringify(outcome)}`);
}
