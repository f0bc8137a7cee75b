import { type HostileText, hostileTexts } from './hostile-strings.ts';

export interface MatrixOptions {
  readonly name: string;
  /** Rows that the adapter does not have, each with the reason. */
  readonly without: Readonly<Record<string, string>>;
  readonly rows: readonly MatrixRow[];
  /** The ids of the strings. */
  readonly strings: readonly string[];
}

export interface MatrixRow {
  readonly id: string;
  readonly about: string;
  readonly kind: 'surface' | 'scenario';
}

/** What was tried, and what has to be: each surface with each string, and each scenario. */
export class Matrix {
  readonly #options: MatrixOptions;
  readonly #cells = new Set<string>();

  constructor(options: MatrixOptions) {
    this.#options = options;
  }

  /** The strings for a surface. */
  textsOf(id: string): readonly HostileText[] {
    const { strings } = this.#options;
    return hostileTexts(id).filter((text) => strings.includes(text.id));
  }

  /** Notes that this was tried; `''` for a scenario. */
  passed(id: string, column = ''): void {
    this.#cells.add(cell(id, column));
  }

  /** What nothing tried, and reasons that are for nothing. */
  get problems(): string[] {
    const { rows, without, strings } = this.#options;
    const ids = new Set(rows.map(({ id }) => id));
    const missing = rows
      .filter(({ id }) => without[id] === undefined)
      .flatMap(({ id, kind }) => (kind === 'surface' ? strings : ['']).map((column) => ({ id, column })))
      .filter(({ id, column }) => !this.#cells.has(cell(id, column)));
    return [
      ...missing.map(({ id, column }) => `not tried: ${id}${column === '' ? '' : ` × ${column}`}`),
      ...Object.keys(without)
        .filter((id) => !ids.has(id))
        .map((id) => `there is no ${id} to be without`),
    ];
  }

  /** The page of the adapter. */
  toMarkdown(): string {
    const { name, rows, without, strings } = this.#options;
    const table = (kind: MatrixRow['kind'], title: string, tried: string): string[] => [
      `## ${title}`,
      '',
      '| | | |',
      '|---|---|---|',
      ...rows
        .filter((row) => row.kind === kind)
        .map(
          ({ id, about }) =>
            `| \`${id}\` | ${about} | ${without[id] === undefined ? tried : `without: ${without[id]}`} |`,
        ),
      '',
    ];
    return [
      `# ${name}`,
      '',
      'What the suite tries with this adapter. Written by its tests, with `vitest run -u`.',
      '',
      ...table('surface', 'Words of others on their way to the model', `${strings.length} strings`),
      ...table('scenario', 'Scenarios', 'tried'),
    ].join('\n');
  }
}

function cell(id: string, column: string): string {
  return JSON.stringify([id, column]);
}
