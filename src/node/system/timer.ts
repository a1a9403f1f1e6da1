// Timer: a Schedule over setTimeout.

import type { Schedule } from '../../log/schedule.ts';

export const later: Schedule = (task, milliseconds) => {
  const timer = setTimeout(task, milliseconds);
  return () => clearTimeout(timer);
};
