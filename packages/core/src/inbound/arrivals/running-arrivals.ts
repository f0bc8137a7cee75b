import { LazyMap } from '../../collections/lazy-map.ts';
import type { InboundCaller } from '../../inbound-http/inbound-agent.ts';
import { type Arrival, askedKeys } from './arrival.ts';
import { keysOf } from './arrival-results.ts';

/** The messages that requests brought and that are in progress, by row and as their senders name them. */
export class RunningArrivals {
  readonly #byRow = new LazyMap<string, Arrival>();
  /** The rows by the ids under which their senders ask for them. */
  readonly #rows = new LazyMap<string, string>();

  add(arrival: Arrival): void {
    const { id } = arrival.message;
    this.#byRow.set(id, arrival);
    for (const key of keysOf(arrival)) this.#rows.set(key, id);
  }

  get(row: string): Arrival | undefined {
    return this.#byRow.get(row);
  }

  delete(row: string): void {
    const arrival = this.#byRow.get(row);
    this.#byRow.delete(row);
    for (const key of arrival === undefined ? [] : keysOf(arrival)) this.#rows.delete(key);
  }

  /** What this caller sent with this id. */
  of(caller: InboundCaller, taskId: string): Arrival | undefined {
    const row = askedKeys(caller, taskId)
      .map((key) => this.#rows.get(key))
      .find((found) => found !== undefined);
    return row === undefined ? undefined : this.#byRow.get(row);
  }
}
