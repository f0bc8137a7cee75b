import { describeRefusal, hintForRefusal, type RefusalReason } from './refusal-reason.ts';

const BRAND = Symbol.for('@molecule-ai/net-guard/address-refused-error');

export interface AddressRefusal {
  /** The requested host: a name or a literal, without credentials, port, path or query. */
  host: string;
  reason: RefusalReason;
  /** The refused IP address, if known. */
  address?: string | undefined;
}

/**
 * The guard refused a host or an address. No HTTP request was sent to it.
 *
 * The message contains the host, never the resolved address, so it can be shown to the author of the URL. Detect it by
 * {@link AddressRefusedError.isInstance}: `instanceof` fails across copies or builds of the package.
 */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError';
  readonly code = 'address_refused';
  readonly reason: RefusalReason;
  readonly hint: string;
  readonly host: string;

  /** The refused IP address, for logs of the operator; not enumerable, so that it is not part of JSON. */
  declare readonly address: string | undefined;

  constructor(refusal: AddressRefusal) {
    super(describeRefusal(refusal.host, refusal.reason));
    this.reason = refusal.reason;
    this.hint = hintForRefusal(refusal.reason);
    this.host = refusal.host;
    Object.defineProperty(this, 'address', { value: refusal.address });
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether `value` is such an error, from any copy or build of this package. */
  static isInstance(value: unknown): value is AddressRefusedError {
    return typeof value === 'object' && value !== null && Reflect.get(value, BRAND) === true;
  }
}
