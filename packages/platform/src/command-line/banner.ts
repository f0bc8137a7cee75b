import type { Platform } from '../platform.ts';

type Shown = Pick<Platform, 'url' | 'mode' | 'operatorKey' | 'operatorKeyPath'>;

/** The first line of `--json`, for programs that start a platform. */
export function readyLine({ url, operatorKey }: Shown): string {
  return `${JSON.stringify({ url, operatorKey })}\n`;
}

/** What a person sees once the platform listens. The key itself is shown in dev mode only. */
export function banner({ url, mode, operatorKey, operatorKeyPath }: Shown): string {
  const keyLines =
    mode === 'production'
      ? ['  Operator key   ADMIN_TOKEN']
      : [
          `  Operator key   ${operatorKey}`,
          ...(operatorKeyPath === null ? [] : [`  kept in        ${operatorKeyPath}`]),
        ];
  return [
    '',
    `  Molecule AI platform, ${mode} mode`,
    '',
    `  URL            ${url}`,
    ...keyLines,
    '',
    '  Ctrl+C stops it.',
    '',
    '',
  ].join('\n');
}
