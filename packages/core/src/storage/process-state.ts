/**
 * Returns a state that exists once per process: the ES module and the CommonJS build of this package, and several
 * installed copies of it, get the same one. Its shape must stay compatible between versions; a new shape gets a new name.
 */
export function processState<State extends object>(name: string, create: () => State): State {
  const key = Symbol.for(`@molecule-ai/core/${name}`);
  const known: unknown = Reflect.get(globalThis, key);
  if (known !== undefined) return known as State;
  const state = create();
  Object.defineProperty(globalThis, key, { value: state });
  return state;
}
