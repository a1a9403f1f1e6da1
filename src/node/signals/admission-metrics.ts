// Admission metrics: how often each limit let somebody pass, and whether the store of the limits answers.

import { Counter, Gauge, type Registry } from 'prom-client';
import { LimitExceeded } from '../../admission/refusal.ts';
import type { Observer, Trail } from '../../audit.ts';
import { Problem } from '../../problem.ts';
import type { BackendState } from '../../redis/availability.ts';
import { childrenOf } from './children.ts';

export interface BackendGauge {
  told(state: BackendState): void;
}

export function backendGauge(registry: Registry): BackendGauge {
  const registers = [registry];
  const up = new Gauge({
    registers,
    name: 'mayfly_ratelimit_backend_up',
    help: 'Whether Redis answers for the rate limits (1), or they go on without it (0).',
    aggregator: 'min',
  });
  const changes = new Counter({
    registers,
    name: 'mayfly_ratelimit_backend_changes_total',
    help: 'Times that Redis was lost, or came back.',
    labelNames: ['state'],
  });
  let current: BackendState = 'available';
  return {
    told(state) {
      up.set(state === 'available' ? 1 : 0);
      if (state !== current) changes.inc({ state });
      current = state;
    },
  };
}

/** Counts decisions by limit; the limit is one of a closed list, and no label says whose bucket it was. */
export function admissionMetrics(registry: Registry): Observer {
  const registers = [registry];
  const decisions = new Counter({
    registers,
    name: 'mayfly_ratelimit_decisions_total',
    help: 'Requests that a rate limit let pass or refused.',
    labelNames: ['limit', 'decision'],
  });
  const decided = childrenOf((limit: string, decision: string) => decisions.labels({ limit, decision }));
  const replays = new Counter({
    registers,
    name: 'mayfly_replay_rejected_total',
    help: 'Requests refused because their token was used before.',
  });
  const policy = new Counter({
    registers,
    name: 'mayfly_policy_would_refuse_total',
    help: 'Certificates issued although a policy in audit mode speaks against them, by configured issuer.',
    labelNames: ['issuer'],
  });
  return {
    record({ certificate, authorization }: Trail, failure?: unknown) {
      if (failure === undefined) {
        for (const { limit } of certificate?.draft.admission.states ?? []) decided(limit, 'allowed').inc();
      }
      if (failure instanceof LimitExceeded) decided(failure.limit, 'refused').inc();
      if (failure instanceof Problem && failure.code === 'token_replayed') replays.inc();
      if (authorization !== undefined && authorization.objections.length > 0)
        policy.inc({ issuer: authorization.identity.token.issuer.name });
    },
  };
}
