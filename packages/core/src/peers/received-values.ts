import { processState } from '../storage/process-state.ts';

/** What a plain object is that this package made of what it received. */
export type ReceivedValue =
  | { readonly kind: 'message' | 'peer' | 'reply-data' }
  | {
      /** Something of what a peer answered: the response, a part, its data or its file. */
      readonly kind: 'reply-content';
      readonly peerId: string;
    };

/** Notes what a value is. Its form does not say so: peers send data of any form. */
export function markReceived<Value>(value: Value, as: ReceivedValue): Value {
  if (typeof value === 'object' && value !== null) received().set(value, as);
  return value;
}

/**
 * What this object is: a message, a peer of `getPeers`, what `PeerReply.toData` returned, or something of what a peer answered. By its identity:
 * `undefined` for copies, for what was stored and read again, and for data of peers that has such a form.
 */
export function receivedValue(value: object): ReceivedValue | undefined {
  return received().get(value);
}

let values: WeakMap<object, ReceivedValue> | undefined;

function received(): WeakMap<object, ReceivedValue> {
  values ??= processState('received-values', () => new WeakMap<object, ReceivedValue>());
  return values;
}
