#!/usr/bin/env node
// mayfly: says plainly when this Node is too old, and starts the command line: the sources in a clone, built
// JavaScript in the published package. Plain JavaScript for any Node, as the rest would not even parse.

import { existsSync } from 'node:fs';

const OLDEST = 24;

if (Number(process.versions.node.split('.')[0]) < OLDEST) {
  process.stderr.write(`mayfly: this is Node ${process.versions.node}, and ${OLDEST} or later is needed\n`);
  process.exitCode = 2;
} else {
  const source = new URL('../../src/cli/main.ts', import.meta.url);
  await import(existsSync(source) ? source.href : new URL('../../dist/cli/main.js', import.meta.url).href);
}
