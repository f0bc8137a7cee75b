// Marks the CommonJS build beside the ES module one, so that Node reads each as what it is.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

writeFileSync(resolve(process.cwd(), 'dist/cjs/package.json'), '{ "type": "commonjs" }\n');
