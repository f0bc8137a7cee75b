/** One setting that cannot be used. */
export interface OptionProblem {
  /** Name in `PlatformOptions`. */
  readonly option: string;
  /** The environment variable of the same setting. */
  readonly variable: string;
  readonly problem: string;
}

/** Thrown before anything is opened when settings are missing, wrong or contradict each other; lists them all. */
export class PlatformOptionsError extends Error {
  override readonly name = 'PlatformOptionsError';
  readonly code = 'invalid_options';
  readonly problems: readonly OptionProblem[];
  /** What to do about it, in one sentence. */
  readonly hint: string;

  constructor(problems: readonly OptionProblem[], hint: string) {
    super(problems.map(({ option, variable, problem }) => `${option} (${variable}): ${problem}`).join('\n'));
    this.problems = problems;
    this.hint = hint;
  }
}
