import { type DemoArguments, parseArguments, UsageError, usage } from './arguments.ts';
import { Timeline } from './output/timeline.ts';
import { runDemo } from './run-demo.ts';

/** Why the demo was ended from outside. */
class Interruption extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

process.exitCode = await main();

async function main(): Promise<number> {
  let args: DemoArguments;
  try {
    args = parseArguments(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage()}`);
    return 2;
  }
  if (args.help) {
    process.stdout.write(usage());
    return 0;
  }
  const interruption = new AbortController();
  const interrupt = (why: string, exitCode: number) => interruption.abort(new Interruption(why, exitCode));
  process.on('SIGINT', () => interrupt('Interrupted', 130));
  process.on('SIGTERM', () => interrupt('Terminated', 143));
  // Whoever reads our output may go away before we do.
  process.stdout.on('error', () => interrupt('Nobody reads the output', 1));
  try {
    return await runAndReport(args, interruption.signal);
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    process.stderr.write(`\n${error.message}; no process and no file is left.\n`);
    return error.exitCode;
  }
}

async function runAndReport(args: DemoArguments, interrupted: AbortSignal): Promise<number> {
  const timeline = new Timeline({ asJson: args.json });
  const verdicts = await runDemo(args, timeline, interrupted);
  timeline.step('Checks');
  for (const verdict of verdicts) timeline.verdict(verdict);
  const broken = verdicts.filter(({ holds }) => !holds).map(({ name }) => name);
  timeline.note(broken.length === 0 ? '\nEvery check holds.' : `\nBroken: ${broken.join(', ')}`);
  return broken.length === 0 ? 0 : 1;
}
