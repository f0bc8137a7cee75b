/** One measured figure: what it is, what was found, and what was aimed for. */
export interface Figure {
  readonly name: string;
  readonly value: string;
  /** The aim in words; absent for figures that are only reported. */
  readonly aim?: string;
  /** Whether the aim was met in this run; absent without an aim. */
  readonly met?: boolean;
}

export function ratioFigure(name: string, ratio: number, aim: number, detail: string): Figure {
  return {
    name,
    value: `${ratio.toFixed(2)} (${detail})`,
    aim: `at least ${aim.toFixed(2)}`,
    met: ratio >= aim,
  };
}

/** A table for a terminal, one line per figure. */
export function formatFigures(figures: readonly Figure[]): string {
  const width = Math.max(...figures.map((figure) => figure.name.length));
  return figures
    .map((figure) => {
      const mark = figure.met === undefined ? ' ' : figure.met ? '✓' : '✗';
      const aim = figure.aim === undefined ? '' : `   aim: ${figure.aim}`;
      return `${mark} ${figure.name.padEnd(width)}  ${figure.value}${aim}`;
    })
    .join('\n');
}
