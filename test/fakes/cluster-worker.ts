// Cluster worker for tests: a process that a sequencer starts and that issues nothing: it says what it is asked, and begins when it may.

import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { Channel, EMPTY } from '../../src/node/cluster/channel.ts';
import { ASK, encode } from '../../src/node/cluster/wire.ts';
import { CHANNEL_FD, RELAY_FD } from '../../src/node/cluster/worker.ts';

const [folder = ''] = process.argv.slice(2);
const stream = new Socket({ fd: CHANNEL_FD });
new Socket({ fd: RELAY_FD }).on('error', () => {});
const names = new Map(Object.entries(ASK).map(([name, kind]) => [kind as number, name]));

writeFileSync(join(folder, 'pid'), String(process.pid));

/**
 * In the folder: `asked` has a line for each request but those for a sign of life. With `wait` there it does not begin yet, with
 * `fail` it ends instead, with `stop` it is stopped instead; with `spin` it never comes to an end of what it does next, and with
 * `stay` it does not end when it should.
 */
const there = (name: string): boolean => existsSync(join(folder, name));
const channel: Channel = new Channel(stream, async (kind) => {
  while (there('spin'));
  if (kind === ASK.pulse) return EMPTY;
  appendFileSync(join(folder, 'asked'), `${names.get(kind)}\n`);
  if (kind === ASK.close && there('stay')) await new Promise(() => {});
  if (kind !== ASK.start) return kind === ASK.metrics ? encode('metrics', []) : encode('done', true);
  while (there('wait')) await new Promise((resolve) => setTimeout(resolve, 5));
  if (there('fail')) process.exit(1);
  if (there('stop')) process.kill(process.pid, 'SIGSTOP');
  return EMPTY;
});
void channel.closed.then(() => process.exit());
