// build:worker: the command that builds the Worker into dist/worker without deploying it, and holds it to its size.

import { buildWorker, SIZE_LIMIT, settingsFile, sizeSentence } from './worker-build.ts';

const build = await buildWorker(settingsFile(), 'dist/worker');
process.stdout.write(`${sizeSentence(build)}\n`);
if (build.gzipBytes > SIZE_LIMIT) process.exitCode = 1;
