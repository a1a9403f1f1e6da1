// Readiness log: a line whenever an instance that is asked stops being ready, for other reasons than before, or is ready again.

import type { Unreadiness } from '../../http/health.ts';
import type { Logger } from '../system/logger.ts';

/** `readiness` as it is. That an instance drains is told by whoever stops it. */
export function toldReadiness(
  readiness: () => Promise<readonly Unreadiness[]>,
  logger: Logger,
): () => Promise<readonly Unreadiness[]> {
  let told = '';
  return async () => {
    const reasons = await readiness();
    const counted = reasons.filter(({ component }) => component !== 'draining');
    const now = JSON.stringify(counted);
    if (told !== '' && counted.length === 0) logger.info('ready again');
    if (told !== now && counted.length > 0) logger.warn({ reasons: counted }, 'not ready');
    told = counted.length === 0 ? '' : now;
    return reasons;
  };
}
