/** One invalid setting. */
export interface OptionProblem {
  /** Name in `PlatformOptions`. */
  readonly option: string;
  /** The environment variable of the same setting. */
  readonly variable: string;
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
    super(problems.map(({ option, variable, problem }) => `${option} (${variable}): ${problem}`).join('\n'));
    this.problems = problems;
    this.hint = hint;
  }
}
