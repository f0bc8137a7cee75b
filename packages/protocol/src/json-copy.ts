import { isJsonObject, type JsonObject, type JsonValue } from './open-json.ts';

/** A deep copy without recursion, so that any nesting is fine; a key `__proto__` stays an ordinary key. */
export function copyJson(value: JsonValue): JsonValue {
  const holder: JsonObject = { copy: value };
  const todo: Array<JsonObject | JsonValue[]> = [holder];
  for (let owner = todo.pop(); owner !== undefined; owner = todo.pop()) {
    if (Array.isArray(owner)) {
      const list = owner;
      list.forEach((child, index) => {
        list[index] = shallow(child, todo);
      });
    } else {
      for (const [key, child] of Object.entries(owner)) define(owner, key, shallow(child, todo));
    }
  }
  return holder.copy ?? null;
}

/** A copy of one level; its children are still shared and wait in `todo`. */
function shallow(value: JsonValue, todo: Array<JsonObject | JsonValue[]>): JsonValue {
  if (Array.isArray(value)) {
    const copy = [...value];
    todo.push(copy);
    return copy;
  }
  if (!isJsonObject(value)) return value;
  const copy = { ...value };
  todo.push(copy);
  return copy;
}

function define(owner: JsonObject, key: string, value: JsonValue): void {
  if (key !== '__proto__') owner[key] = value;
  else Object.defineProperty(owner, key, { value, enumerable: true, configurable: true, writable: true });
}
