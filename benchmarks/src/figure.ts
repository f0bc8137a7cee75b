import { ratioOf, type Throughput } from './throughput.ts';

/** One measured figure and its target. */
export interface Figure {
  readonly name: string;
  readonly value: string;
  /** The target in words; absent for figures that are only reported. */
  readonly target?: string;
  /** Whether the target was met in this run; absent without a target. */
  readonly met?: boolean;
}

/** Of two contenders of one measurement, only reported without a target; `rate` describes the operations per second of one of them. */
export function ratioFigure(
  name: string,
  one: Throughput,
  other: Throughput,
  target: number | undefined,
  rate: (of: Throughput) => string = ({ perSecond }) => `${Math.round(perSecond)}/s`,
): Figure {
  const ratio = ratioOf(one, other);
  const detail = `${rate(one)} against ${rate(other)}`;
  const value = `${ratio.toFixed(2)} (${detail})`;
  if (target === undefined) return { name, value };
  return { name, value, target: `at least ${target.toFixed(2)}`, met: ratio >= target };
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
