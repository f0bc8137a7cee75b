const METHODS = Object.getOwnPropertyNames(SubtleCrypto.prototype).filter((name) => name !== 'constructor');

type Method = (...values: unknown[]) => Promise<unknown>;

const running = new Set<Promise<unknown>>();
let watchers = 0;

/** Resolves when what WebCrypto is asked for now is done; undefined when that is nothing. */
export function cryptographyEnd(): Promise<unknown> | undefined {
  return running.size === 0 ? undefined : Promise.allSettled(running);
}

/**
 * Notes the calls of WebCrypto, which works in other threads, and which Node does not list as active. Returns what ends that; with the last one
 * `crypto.subtle` is as it was.
 */
export function watchCryptography(): () => void {
  const { subtle } = crypto;
  watchers += 1;
  if (watchers === 1) for (const name of METHODS) Object.defineProperty(subtle, name, watched(subtle, name));
  let hasEnded = false;
  return () => {
    if (hasEnded) return;
    hasEnded = true;
    watchers -= 1;
    if (watchers === 0) for (const name of METHODS) Reflect.deleteProperty(subtle, name);
  };
}

function watched(subtle: typeof crypto.subtle, name: string): PropertyDescriptor {
  const method = Reflect.get(subtle, name) as Method;
  const value = (...values: unknown[]) => {
    const result = method.apply(subtle, values);
    running.add(result);
    const end = () => void running.delete(result);
    result.then(end, end);
    return result;
  };
  return { value, configurable: true, writable: true };
}
