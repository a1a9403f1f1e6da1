import { describe, expect, it } from 'vitest';
import { FailoverLog } from '../../../src/log/failover.ts';
import type { Log, Sct } from '../../../src/log/log.ts';
import { RemoteLogError } from '../../../src/log/remote.ts';
import { Problem } from '../../../src/problem.ts';
import { entryOf } from './support.ts';

const entry = entryOf(1);

/** A log that fails while told to, and counts how often it is asked. */
class Stub implements Log {
  asked = 0;
  down = false;
  picky = false;
  readonly #timestamp: number;

  constructor(timestamp: number) {
    this.#timestamp = timestamp;
  }

  async append(): Promise<Sct> {
    this.asked += 1;
    if (this.picky)
      throw new Problem('log_unavailable', { cause: new RemoteLogError('entry_refused', 'not this one') });
    if (this.down)
      throw new Problem('log_unavailable', { cause: new Error(`log ${this.#timestamp} is down`) });
    const none = new Uint8Array();
    return { logId: none, timestamp: this.#timestamp, extensions: none, signature: none };
  }
}

function rig(): { first: Stub; second: Stub; log: FailoverLog; pass(ms: number): void; changes: string[] } {
  const [first, second] = [new Stub(1), new Stub(2)];
  const changes: string[] = [];
  let now = 0;
  const log = new FailoverLog({
    members: [
      { name: 'first', log: first },
      { name: 'second', log: second },
    ],
    monotonic: () => now,
    onChange: (name, failure) => changes.push(`${name} ${failure === undefined ? 'is back' : 'rests'}`),
  });
  const pass = (ms: number): void => {
    now += ms;
  };
  return { first, second, log, pass, changes };
}

const from = async (log: Log): Promise<number> => (await log.append(entry)).timestamp;

describe('fail-over', () => {
  it('asks the first log alone while it answers', async () => {
    const { first, second, log } = rig();
    for (let i = 0; i < 5; i++) expect(await from(log)).toBe(1);
    expect([first.asked, second.asked]).toEqual([5, 0]);
  });

  it('goes on to the next for one entry', async () => {
    const { first, second, log } = rig();
    first.down = true;
    expect(await from(log)).toBe(2);
    first.down = false;
    expect(await from(log)).toBe(1);
    expect([first.asked, second.asked]).toEqual([2, 1]);
  });

  it('does not leave a log alone that refuses entries and is well', async () => {
    const { first, log, changes } = rig();
    first.picky = true;
    for (let i = 0; i < 20; i++) expect(await from(log)).toBe(2);
    first.picky = false;
    expect(await from(log)).toBe(1);
    expect(changes).toEqual([]);
  });

  it('leaves a log alone that keeps failing, longer each time, and comes back to it', async () => {
    const { first, log, pass, changes } = rig();
    first.down = true;
    for (let i = 0; i < 10; i++) expect(await from(log)).toBe(2);
    expect(first.asked).toBe(3);
    expect(changes).toEqual(['first rests']);
    pass(2000);
    for (let i = 0; i < 3; i++) expect(await from(log)).toBe(2);
    expect(first.asked).toBe(4);
    pass(3999);
    expect(await from(log)).toBe(2);
    expect(first.asked).toBe(4);
    pass(1);
    first.down = false;
    expect(await from(log)).toBe(1);
    expect(await from(log)).toBe(1);
    expect(changes).toEqual(['first rests', 'first is back']);
    first.down = true;
    for (let i = 0; i < 10; i++) await from(log);
    expect(first.asked).toBe(6 + 3);
  });

  it('tries a resting log with one entry at a time', async () => {
    const { first, log, pass } = rig();
    first.down = true;
    for (let i = 0; i < 3; i++) await from(log);
    pass(2000);
    first.asked = 0;
    await Promise.all(Array.from({ length: 20 }, () => from(log)));
    expect(first.asked).toBe(1);
  });

  it('rests at most a minute', async () => {
    const { first, log, pass } = rig();
    first.down = true;
    for (let i = 0; i < 3; i++) await from(log);
    for (let i = 0; i < 20; i++) {
      pass(60_000);
      await from(log);
    }
    expect(first.asked).toBe(23);
  });

  it('answers 503 when no log is left, at once when all are resting', async () => {
    const { first, second, log } = rig();
    first.down = true;
    second.down = true;
    for (let i = 0; i < 3; i++)
      await expect(log.append(entry)).rejects.toMatchObject({
        code: 'log_unavailable',
        cause: { message: 'log 2 is down' },
      });
    const asked = first.asked + second.asked;
    await expect(log.append(entry)).rejects.toMatchObject({
      code: 'log_unavailable',
      status: 503,
      retryAfter: 2,
      cause: { message: expect.stringContaining('left alone') },
    });
    expect(first.asked + second.asked).toBe(asked);
  });
});
