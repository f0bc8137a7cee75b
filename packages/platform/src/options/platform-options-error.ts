/** One invalid setting. */
export interface OptionProblem {
  /** Name in `PlatformOptions`, or of the key that is none. */
  readonly option: string;
  /** The environment variable of the same setting; `''` for a key that is no option. */
  readonly variable: string;
  /** The command-line option of the same setting, such as `--host`. */
  readonly flag?: string;
  readonly problem: string;
}

/** Thrown before anything is opened when settings are missing, invalid or contradict each other; lists all of them. */
export class PlatformOptionsError extends Error {
  override readonly name = 'PlatformOptionsError';
  readonly code = 'invalid_options';
  readonly problems: readonly OptionProblem[];
  /** How to solve the problems, in one sentence. */
  readonly hint: string;

  constructor(problems: readonly OptionProblem[], hint: string) {
    super(problems.map(describe).join('\n'));
    this.problems = problems;
    this.hint = hint;
  }
}

function describe({ option, variable, flag, problem }: OptionProblem): string {
  if (variable === '') return `${option}: ${problem}`;
  return `${option} (${flag === undefined ? variable : `${variable}, ${flag}`}): ${problem}`;
}
