import { open } from 'node:fs/promises';

/** Opens a file to which lines are appended; each resolves when its line is on the disk. Lines of one moment share a flush. */
export async function openFlushedLog(path: string): Promise<(line: string) => Promise<void>> {
  const file = await open(path, 'a');
  let queue: string[] = [];
  let isWriting = Promise.resolve();
  let queued: Promise<void> | undefined;
  return (line) => {
    queue.push(line);
    queued ??= isWriting = isWriting.then(async () => {
      queued = undefined;
      const lines = queue;
      queue = [];
      await file.appendFile(`${lines.join('\n')}\n`);
      await file.datasync();
    });
    return queued;
  };
}
