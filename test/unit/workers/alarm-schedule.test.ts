import { beforeEach, describe, expect, it } from 'vitest';
import { AlarmSchedule } from '../../../src/workers/alarm-schedule.ts';

let now: number;
let alarms: number[];
let ran: string[];
let schedule: AlarmSchedule;
const task = (name: string) => (): void => void ran.push(name);

beforeEach(() => {
  now = 0;
  alarms = [];
  ran = [];
  const storage = { setAlarm: async (at: number) => void alarms.push(at) };
  schedule = new AlarmSchedule(
    storage,
    () => now,
    (error) => {
      throw error;
    },
  );
});

describe('a schedule over one alarm', () => {
  it('sets the alarm for the earliest task, and writes no other', () => {
    schedule.schedule(task('b'), 200);
    schedule.schedule(task('c'), 300);
    schedule.schedule(task('a'), 100);
    expect(alarms).toEqual([200, 100]);
  });

  it('runs what is due, in order, and sets the alarm for the next', () => {
    for (const [name, at] of [
      ['c', 300],
      ['b', 200],
      ['a', 100],
    ] as const)
      schedule.schedule(task(name), at);
    alarms = [];
    now = 250;
    schedule.ring(10);
    expect(ran).toEqual(['a', 'b']);
    // The fallback, as work has begun that may not end; it comes before the next task here.
    expect(alarms).toEqual([300, 260]);
  });

  it('falls back until the work schedules something', () => {
    schedule.schedule(() => undefined, 100);
    now = 100;
    schedule.ring(10);
    expect(alarms).toEqual([100, 110]);
    schedule.schedule(task('next'), 60_000);
    expect(alarms).toEqual([100, 110, 60_100]);
  });

  it('has no use for a fallback where nothing is due', () => {
    schedule.schedule(task('a'), 100);
    now = 50;
    schedule.ring(10);
    expect(ran).toEqual([]);
    expect(alarms).toEqual([100, 100]);
  });

  it('rings again where it knows of nothing: the tasks went with another object', () => {
    schedule.ring(10);
    expect(alarms).toEqual([10]);
  });

  it('does not run what was called off', () => {
    schedule.schedule(task('a'), 100)();
    now = 100;
    schedule.ring(10);
    expect(ran).toEqual([]);
  });

  it('lets a task call another off', () => {
    schedule.schedule(() => cancel(), 100);
    const cancel = schedule.schedule(task('b'), 100);
    now = 100;
    schedule.ring(10);
    expect(ran).toEqual([]);
  });

  it('takes an earlier alarm for a wake-up', () => {
    schedule.wakeBy(100);
    schedule.wakeBy(200);
    schedule.fallBack(150);
    expect(alarms).toEqual([100]);
  });
});
