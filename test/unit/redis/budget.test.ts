import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Budget } from '../../../src/redis/budget.ts';

/** Keeps this process from everything for a time. */
function stall(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

it('gives up what takes longer, and only that', async () => {
  const budget = new Budget(20);
  const never = new Promise<never>(() => {});
  const outcomes = await Promise.allSettled([
    budget.within(Promise.resolve(1)),
    budget.within(never),
    budget.within(Promise.reject(new Error('refused'))),
    budget.within(setTimeout(1, 2)),
  ]);
  expect(outcomes.map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)))).toEqual([
    1,
    'Error: no answer within 20 ms',
    'Error: refused',
    2,
  ]);
});

it('counts from the end of the turn: what this process itself held up is not the answer being late', async () => {
  const budget = new Budget(20);
  const { promise, resolve } = Promise.withResolvers<string>();
  const waiting = budget.within(promise);
  setImmediate(() => setImmediate(() => resolve('answered'))); // asked when the turn ends, answered a turn later
  stall(60);
  expect(await waiting).toBe('answered');
});

it('an answer that arrived while this process stood still is seen', async () => {
  const budget = new Budget(20);
  const { promise, resolve } = Promise.withResolvers<string>();
  const waiting = budget.within(promise);
  await setTimeout(5);
  setImmediate(() => resolve('answered'));
  stall(60);
  expect(await waiting).toBe('answered');
});

it('each turn has a time of its own', async () => {
  const budget = new Budget(60);
  const first = budget.within(new Promise<never>(() => {})).catch(() => performance.now());
  await setTimeout(30);
  const second = budget.within(new Promise<never>(() => {})).catch(() => performance.now());
  expect((await second) - (await first)).toBeGreaterThan(15);
});
