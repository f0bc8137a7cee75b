/** Environment variables as the options read them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The only place of the package that reads the process environment. */
export function processEnvironment(): Environment {
  return process.env;
}
