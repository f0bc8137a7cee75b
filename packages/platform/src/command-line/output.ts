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
  const units = ['KiB', 'MiB', 'GiB'] as const;
  let value = bytes / 1_024;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}
