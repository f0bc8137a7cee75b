/** One measured figure and its target. */
export interface Figure {
  readonly name: string;
  readonly value: string;
  /** The target in words; absent for figures that are only reported. */
  readonly target?: string;
  /** Whether the target was met in this run; absent without a target. */
  readonly met?: boolean;
}

export function ratioFigure(name: string, ratio: number, target: number, detail: string): Figure {
  return {
    name,
    value: `${ratio.toFixed(2)} (${detail})`,
    target: `at least ${target.toFixed(2)}`,
    met: ratio >= target,
  };
}

/** Formats a table for a terminal, one line per figure. */
export function formatFigures(figures: readonly Figure[]): string {
  const width = Math.max(...figures.map((figure) => figure.name.length));
  return figures
    .map((figure) => {
      const mark = figure.met === undefined ? ' ' : figure.met ? '✓' : '✗';
      const target = figure.target === undefined ? '' : `   target: ${figure.target}`;
      return `${mark} ${figure.name.padEnd(width)}  ${figure.value}${target}`;
    })
    .join('\n');
}
