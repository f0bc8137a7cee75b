import type { DatabaseContents } from '../database/sqlite-copy.ts';

/** Writes to stdout and stderr. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** What a database contains, for people. */
export function contentsText({ workspaces, messages }: DatabaseContents): string {
  return `${counted(workspaces, 'workspace')}, ${counted(messages, 'message')}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

export function sizeText(bytes: number): string {
  return `${(bytes / 1_024 ** 2).toFixed(1)} MiB`;
}
