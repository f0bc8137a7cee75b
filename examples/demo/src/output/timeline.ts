import { styleText } from 'node:util';

/** Where a line was read back from. */
export type Source = 'platform' | 'workspace' | 'feed' | 'message' | 'stream' | 'log' | 'process';

const COLOURS = {
  platform: 'blue',
  workspace: 'magenta',
  feed: 'cyan',
  message: 'yellow',
  stream: 'yellowBright',
  log: 'green',
  process: 'red',
} as const satisfies Record<Source, string>;

export type Write = (line: string) => void;

/** The demo's output: plain text, coloured on a terminal only, or JSON lines. */
export class Timeline {
  readonly #startedAt = performance.now();
  readonly #asJson: boolean;
  readonly #write: Write;

  constructor(options: { asJson: boolean; write?: Write }) {
    this.#asJson = options.asJson;
    this.#write = options.write ?? ((line) => process.stdout.write(`${line}\n`));
  }

  /** Announces a step; the lines after it are its results. */
  step(title: string): void {
    this.#print({ step: title }, `\n${styleText('bold', title)}`);
  }

  /** One thing that was read back. */
  line(source: Source, who: string, text: string): void {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const [first = '', ...rest] = text.split('\n');
    const label = `${source.padEnd(9)}  ${who.padEnd(12)}`;
    const plain = `${seconds.toFixed(2).padStart(6)} s  ${label}  ${first}`;
    const more = rest.map((line) => `\n${' '.repeat(plain.length - first.length)}${line}`).join('');
    const coloured = plain.replace(
      label,
      `${styleText(COLOURS[source], source.padEnd(9))}  ${who.padEnd(12)}`,
    );
    this.#print({ seconds, source, who, text }, coloured + more);
  }

  verdict(check: { name: string; title: string; holds: boolean; found: string }): void {
    const mark = check.holds ? styleText('green', '✓') : styleText('red', '✗');
    const found = check.holds ? '' : ` — ${check.found}`;
    this.#print({ check: check.name, ...check }, `  ${mark} ${check.name.padEnd(12)} ${check.title}${found}`);
  }

  /** Anything else for the reader: how it ended, what to try next. */
  note(text: string): void {
    this.#print({ note: text }, text);
  }

  #print(record: object, text: string): void {
    this.#write(this.#asJson ? JSON.stringify(record) : text);
  }
}
