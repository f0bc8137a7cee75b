/** A message as a scripted model reads it, whatever framework it is in. */
export interface ReadMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly text: string;
  /** Of the result of a tool. */
  readonly toolName?: string | undefined;
}

export interface ModelCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** What a model does next: says a text, or calls a tool, after a text or without. */
export type NextStep = string | ModelCall | (ModelCall & { readonly text: string });

/**
 * Stands in for the mind of a model, without a key or a network. It sees what a model would see, so every word that it says of a subject
 * comes from its prompt.
 */
export type ModelScript = (messages: readonly ReadMessage[]) => NextStep | Promise<NextStep>;

/** What a script reads of a prompt. */
export class PromptReader {
  readonly #messages: readonly ReadMessage[];

  constructor(messages: readonly ReadMessage[]) {
    this.#messages = messages;
  }

  /** The last message of the user. */
  get question(): string {
    return this.#messages.findLast(({ role }) => role === 'user')?.text ?? '';
  }

  /** The last result of a tool since the last message of the user. */
  resultOf(toolName: string): string | undefined {
    const since = this.#messages.findLastIndex(({ role }) => role === 'user');
    return this.#messages.slice(since + 1).findLast((message) => message.toolName === toolName)?.text;
  }
}

/** The first id of a workspace in a text. */
export function idIn(text: string): string {
  return /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(text)?.[0] ?? '';
}

/** The id of the peer with this name in a result of `list_peers`, which has ids by number, and what the peers say of themselves by the same numbers. */
export function idOfPeer(list: string, name: string): string {
  const [, number] = new RegExp(`^(\\d+)\\. \\{"name":"${name}"`, 'm').exec(list) ?? [];
  const [, id = ''] = new RegExp(`^${number}\\. ([0-9a-f-]{36})`, 'm').exec(list) ?? [];
  return id;
}
