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
    const facts = counted.map(({ component, reason }) => ({ component, reason }));
    const cause = counted.find((one) => one.cause !== undefined)?.cause;
    const now = counted.length === 0 ? '' : JSON.stringify(facts);
    if (told !== '' && now === '') logger.info('ready again');
    if (told !== now && now !== '')
      logger.warn({ reasons: facts, ...(cause !== undefined && { err: cause }) }, 'not ready');
    told = now;
    return reasons;
  };
}
