import { type Attributes, type Meter, type ObservableResult, openTelemetry } from './opentelemetry.ts';

/** What a metric counts or measures. */
export interface Instrument {
  readonly name: string;
  readonly description: string;
  /** As UCUM: `s`, `{message}`. */
  readonly unit: string;
}

type Make<Created> = (meter: Meter) => Created;

/** Upper bounds of the buckets of durations, in seconds. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** The metrics of one package. Nothing is counted while no provider of meters is registered. */
export class Instruments {
  readonly #name: string;
  readonly #version: string;
  /** By the provider that made them: an application may register another one. */
  #made: { readonly provider: object; readonly byName: Map<string, unknown> } | undefined;

  constructor(name: string, version: string) {
    this.#name = name;
    this.#version = version;
  }

  /** Counts `value` more. */
  count({ name, ...options }: Instrument, attributes: Attributes, value = 1): void {
    this.#use(name, (meter) => meter.createCounter(name, options))?.add(value, attributes);
  }

  /** Changes a number that may fall, such as that of open requests. */
  change({ name, ...options }: Instrument, value: number, attributes: Attributes): void {
    this.#use(name, (meter) => meter.createUpDownCounter(name, options))?.add(value, attributes);
  }

  /** Records one duration, in seconds. */
  record({ name, ...options }: Instrument, seconds: number, attributes: Attributes): void {
    const advice = { explicitBucketBoundaries: SECONDS };
    this.#use(name, (meter) => meter.createHistogram(name, { ...options, advice }))?.record(
      seconds,
      attributes,
    );
  }

  /** Measures with `read` whenever the metrics are collected, until the returned function is called. */
  observe({ name, ...options }: Instrument, read: (result: ObservableResult) => Promise<void>): () => void {
    const gauge = this.#use(name, (meter) => meter.createObservableGauge(name, options));
    if (gauge === undefined) return () => {};
    gauge.addCallback(read);
    return () => gauge.removeCallback(read);
  }

  #use<Created>(name: string, make: Make<Created>): Created | undefined {
    const provider = openTelemetry()?.metrics;
    if (provider === undefined) return undefined;
    if (this.#made?.provider !== provider) this.#made = { provider, byName: new Map() };
    const { byName } = this.#made;
    const known = byName.get(name) as Created | undefined;
    if (known !== undefined) return known;
    const created = make(provider.getMeter(this.#name, this.#version));
    byName.set(name, created);
    return created;
  }
}
