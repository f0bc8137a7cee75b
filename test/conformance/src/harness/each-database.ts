import { afterEach, beforeEach, describe } from 'vitest';
import { DATABASES } from './databases.ts';
import { Site } from './site.ts';

export interface EachDatabaseOptions {
  /** Only on databases whose rows outlive the platform. @default false */
  readonly onDisk?: boolean;
}

type Suite = (site: Site) => void;

/** Declares the same tests for each database. The suite's site is new for each test. */
export function onEachDatabase(title: string, suite: Suite): void;
export function onEachDatabase(title: string, options: EachDatabaseOptions, suite: Suite): void;
export function onEachDatabase(title: string, ...rest: [Suite] | [EachDatabaseOptions, Suite]): void {
  const [options, suite] = rest.length === 1 ? [{}, rest[0]] : rest;
  const databases = DATABASES.filter(({ onDisk }) => onDisk || options.onDisk !== true);
  describe.each(databases)(`${title} on $name`, (database) => {
    const site = new Site(database);
    beforeEach(() => site.begin());
    afterEach(() => site.end());
    suite(site);
  });
}
