import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ForegroundProcess } from './foreground-process.ts';

/** A proxy that runs. */
export interface RunningProxy {
  /** Takes its configuration again, as an administrator does after a change. */
  reload(): Promise<void>;
  stop(): Promise<void>;
  /** Starts it again after {@link stop}. */
  start(): Promise<void>;
  /** All that it has logged, requests too. */
  log(): string;
}

export interface ProxySetup {
  /** Where it keeps its files. */
  readonly folder: string;
  /** What a sample has, with addresses and paths of this test. */
  readonly config: string;
}

/** The version in Debian 12 and newer ones. */
export async function startNginx({ folder, config }: ProxySetup): Promise<RunningProxy> {
  const main = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => {
    mkdirSync(join(folder, name), { recursive: true });
    return `${name}_temp_path ${join(folder, name)};`;
  });
  const accessLog = join(folder, 'access.log');
  writeFileSync(accessLog, '');
  writeFileSync(join(folder, 'sample.conf'), config);
  writeFileSync(
    main,
    `daemon off; pid ${join(folder, 'pid')}; error_log stderr notice; worker_processes 1;
events { worker_connections 256; }
http {
  access_log ${accessLog};
  ${temporary.join(' ')}
  include ${join(folder, 'sample.conf')};
}
`,
  );
  const run = () => new ForegroundProcess('nginx', ['-e', 'stderr', '-p', folder, '-c', main]);
  let running = run();
  let starts = 1;
  await running.wrote('start worker process ');
  let before = '';
  return {
    reload: async () => {
      running.signal('SIGHUP');
      starts += 1;
      await running.wrote('start worker process ', starts);
    },
    stop: async () => {
      await running.stop();
      before += running.output;
    },
    start: async () => {
      running = run();
      starts = 1;
      await running.wrote('start worker process ');
    },
    log: () => before + running.output + readFileSync(accessLog, 'utf8'),
  };
}

export async function startCaddy({ folder, config }: ProxySetup): Promise<RunningProxy> {
  const file = join(folder, 'Caddyfile');
  const admin = `127.0.0.1:${await freePort()}`;
  const options = `\tadmin ${admin}\n\tskip_install_trust\n\tauto_https disable_redirects\n`;
  const globalBlock = /^(?:#.*\n)?\{\n/;
  const whole = globalBlock.test(config) ? config : `{\n}\n${config}`;
  writeFileSync(file, whole.replace(globalBlock, `{\n${options}`));
  const env = { HOME: folder, XDG_DATA_HOME: join(folder, 'data'), XDG_CONFIG_HOME: join(folder, 'config') };
  const given = ['--config', file, '--adapter', 'caddyfile'];
  const run = () => new ForegroundProcess('caddy', ['run', ...given], env);
  let running = run();
  let before = '';
  await running.wrote('serving initial configuration');
  return {
    reload: async () => {
      const reload = new ForegroundProcess('caddy', ['reload', '--force', '--address', admin, ...given], env);
      await running.wrote('load complete');
      await reload.stop();
    },
    stop: async () => {
      await running.stop();
      before += running.output;
    },
    start: async () => {
      running = run();
      await running.wrote('serving initial configuration');
    },
    log: () => before + running.output,
  };
}

/** A port of loopback that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
