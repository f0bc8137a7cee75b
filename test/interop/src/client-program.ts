import { createInterface } from 'node:readline';
import { writeLine } from './line.ts';

/** What one call of a client ended with, in the words of A2A 0.3, whatever its SDK calls it. */
export type Outcome =
  | { readonly kind: 'message'; readonly text: string; readonly contextId: string }
  | {
      readonly kind: 'task';
      readonly id: string;
      /** `submitted`, `input-required`, … */
      readonly state: string;
      /** The text of its artifacts, else of its status. */
      readonly text: string;
      readonly contextId: string;
    }
  | {
      readonly kind: 'error';
      /** The class that the SDK throws. */
      readonly name: string;
      /** The JSON-RPC code, where the SDK shows it or the class stands for it. */
      readonly code: number | null;
      readonly message: string;
    };

/** A message to an agent. */
export interface Send {
  /** `stream` gives the task that the events add up to, with the text of its artifacts. */
  readonly op: 'send' | 'stream';
  readonly text: string;
  readonly taskId?: string;
  readonly contextId?: string;
  /** Seconds that the platform holds the call, `X-Timeout`. */
  readonly hold?: number;
}

/** What a client is asked to do. */
export type Operation = Send | { readonly op: 'get' | 'cancel' | 'resubscribe'; readonly id: string };

/** The agent that an operation is meant for. */
export interface Target {
  /** Its base URL: `…/workspaces/<id>/a2a`. */
  readonly url: string;
  /** Its card; without it the SDK asks for it below `url`. */
  readonly card?: object;
}

/** The headers that a client program sends with every request, from its first argument. */
export function givenHeaders(): Readonly<Record<string, string>> {
  return JSON.parse(process.argv[2] ?? '') as Record<string, string>;
}

/**
 * Serves a client program: each line of stdin is `{ seq, target, operation }`, each line of stdout `{ seq, …outcome }`.
 * Operations run at the same time. One client for each target. Ends with stdin.
 */
export async function serveClient<Client>(
  connect: (target: Target) => Promise<Client>,
  run: (client: Client, operation: Operation) => Promise<Outcome>,
): Promise<void> {
  const clients = new Map<string, Promise<Client>>();
  for await (const line of createInterface({ input: process.stdin })) {
    const { seq, target, operation } = JSON.parse(line) as {
      readonly seq: number;
      readonly target: Target;
      readonly operation: Operation;
    };
    const key = JSON.stringify(target);
    const client = clients.get(key) ?? connect(target);
    clients.set(key, client);
    client
      .then((connected) => run(connected, operation))
      .catch(errorOutcome)
      .then((outcome) => writeLine({ seq, ...outcome }));
  }
}

function errorOutcome(error: unknown): Outcome {
  const { message, envelopeCode, errorResponse } = error as Error & {
    readonly envelopeCode?: number;
    readonly errorResponse?: { readonly error: { readonly code: number } };
  };
  const code = envelopeCode ?? errorResponse?.error.code ?? null;
  return { kind: 'error', name: (error as Error).constructor.name, code, message };
}
