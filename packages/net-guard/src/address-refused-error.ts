import { describeRefusal, hintForRefusal, type RefusalReason } from './refusal-reason.ts';

const BRAND = Symbol.for('@molecule-ai/net-guard/address-refused-error');

/** What an {@link AddressRefusedError} is made of. */
export interface AddressRefusal {
  /** The host as it was asked for: a name or a literal, without credentials, port, path or query. */
  host: string;
  reason: RefusalReason;
  /** The refused IP address, where one is known. */
  address?: string | undefined;
}

/**
 * The guard refused a host or an address. Nothing was sent to it over HTTP.
 *
 * The message names the host, never the address behind it, so that it may be shown to whoever gave the URL.
 * Tell it apart with {@link AddressRefusedError.isInstance}: `instanceof` fails across two copies of the
 * package, or between its ES module and its CommonJS build.
 */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError';
  readonly code = 'address_refused';
  readonly reason: RefusalReason;
  readonly hint: string;
  readonly host: string;

  /** The refused IP address, for logs of the operator; not enumerable, so it does not travel in JSON. */
  declare readonly address: string | undefined;

  constructor(refusal: AddressRefusal) {
    super(describeRefusal(refusal.host, refusal.reason));
    this.reason = refusal.reason;
    this.hint = hintForRefusal(refusal.reason);
    this.host = refusal.host;
    Object.defineProperty(this, 'address', { value: refusal.address });
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether `value` is such an error, from whichever copy or build of this package. */
  static isInstance(value: unknown): value is AddressRefusedError {
    return typeof value === 'object' && value !== null && Reflect.get(value, BRAND) === true;
  }
}
