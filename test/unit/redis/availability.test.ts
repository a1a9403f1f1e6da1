import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Availability } from '../../../src/redis/availability.ts';

let down: Set<string>;
let probes: string[];
let told: string[];
let availability: Availability;

beforeEach(() => {
  vi.useFakeTimers();
  down = new Set();
  probes = [];
  told = [];
  availability = new Availability({
    probe: async (lane) => {
      probes.push(lane);
      if (down.has(lane)) throw new Error('still down');
    },
    onState: (state, cause) => told.push(cause === undefined ? state : `${state}: ${cause}`),
  });
});
afterEach(() => {
  availability.close();
  vi.useRealTimers();
});

function lose(lane: string): void {
  down.add(lane);
  availability.lose(lane, `${lane} failed`);
}

it('tells the first loss and the last recovery, whatever happens between', async () => {
  for (let i = 0; i < 100; i++) lose('one');
  lose('two');
  expect(availability.isUp('one')).toBe(false);
  expect(availability.isUp('three')).toBe(true);
  down.delete('one');
  await vi.advanceTimersByTimeAsync(1000);
  expect(availability.isUp('one')).toBe(true);
  expect(availability.state).toBe('unavailable');
  down.delete('two');
  await vi.advanceTimersByTimeAsync(2000);
  expect(availability.state).toBe('available');
  expect(told).toEqual(['unavailable: one failed', 'available']);
});

it('probes less and less often, and one at a time for a lane', async () => {
  lose('one');
  const at: number[] = [];
  const start = Date.now();
  for (let i = 0; i < 7; i++) {
    await vi.advanceTimersToNextTimerAsync();
    at.push(Date.now() - start);
  }
  expect(probes).toHaveLength(7);
  expect(at).toEqual([100, 300, 700, 1500, 3100, 5100, 7100]);
});

it('does not flutter: losses soon after each other make the next probe wait longer, until all is calm', async () => {
  const outages: number[] = [];
  for (let i = 0; i < 4; i++) {
    availability.lose('one', 'slow');
    const before = Date.now();
    await vi.advanceTimersToNextTimerAsync();
    outages.push(Date.now() - before);
  }
  await vi.advanceTimersByTimeAsync(10_000);
  availability.lose('one', 'slow');
  const before = Date.now();
  await vi.advanceTimersToNextTimerAsync();
  outages.push(Date.now() - before);
  expect(outages).toEqual([100, 200, 400, 800, 100]);
});

it('keeps no timer after it is closed', () => {
  lose('one');
  availability.close();
  availability.lose('two', 'late');
  expect(vi.getTimerCount()).toBe(0);
  expect(told).toEqual(['unavailable: one failed']);
});
