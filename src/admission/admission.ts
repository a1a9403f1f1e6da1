// Admission: a proven key whose identity still has certificates to spend, and whose token may be used for that key.

import type { Binding } from '../binding.ts';
import { type Instant, instantOf } from '../clock.ts';
import { base64url, utf8 } from '../encoding/bytes.ts';
import type { Random } from '../encoding/random.ts';
import { Problem } from '../problem.ts';
import type { Issuer } from '../token/issuer.ts';
import type { BucketKeys } from './bucket-key.ts';
import type { Limits } from './limit.ts';
import type { Allowed, Charge, Limiter, LimitState } from './limiter.ts';
import { LimitExceeded, replayed } from './refusal.ts';
import { REPLAY_MARGIN_MS, type ReplayCheck, type ReplayMode } from './replay.ts';

/** What admission is decided by. */
export interface Admitter {
  readonly limiter: Limiter;
  /** Undefined where rate limits are off; replay rules hold all the same. */
  readonly limits: Limits | undefined;
  readonly keys: BucketKeys;
  /** An issuer that is not in it has `allow`. */
  readonly replay: ReadonlyMap<Issuer, ReplayMode>;
  /** For the jitter of Retry-After. */
  readonly random: Random;
}

export class Admission {
  readonly #spent: Allowed | undefined;
  #refunded = false;
  readonly binding: Binding;

  private constructor(binding: Binding, spent: Allowed | undefined) {
    this.binding = binding;
    this.#spent = spent;
  }

  /** Without an admitter everything is admitted. Throws Problems `rate_limited`, `token_replayed`, `limiter_unavailable`. */
  static async of(binding: Binding, admitter: Admitter | undefined, now: Instant): Promise<Admission> {
    if (admitter === undefined) return new Admission(binding, undefined);
    const { identity } = binding.authorization;
    const mode = admitter.replay.get(identity.token.issuer) ?? 'allow';
    const charges = admitter.limits === undefined ? [] : chargesOf(binding, admitter.limits, admitter.keys);
    const replay = mode === 'allow' ? undefined : replayOf(binding, mode, admitter.keys);
    if (charges.length === 0 && replay === undefined) return new Admission(binding, undefined);
    const verdict = await admitter.limiter.spend(
      admitter.keys.issuer(identity.quota.issuer),
      charges,
      replay,
      now,
    );
    if (verdict.allowed) return new Admission(binding, verdict);
    if (verdict.reason === 'limited') throw new LimitExceeded(verdict, admitter.random, now);
    if (verdict.reason === 'replayed') throw replayed(mode);
    throw new Problem('limiter_unavailable');
  }

  /** How the limits stand after this issuance, for the RateLimit fields; empty where limits are off. */
  get states(): readonly LimitState[] {
    return this.#spent?.states ?? [];
  }

  /** Gives what was spent back, once, when issuance fails on our side. Never rejects. */
  async refund(): Promise<void> {
    if (this.#refunded) return;
    this.#refunded = true;
    await this.#spent?.refund();
  }
}

export const admit = Admission.of;

function chargesOf(binding: Binding, limits: Limits, keys: BucketKeys): readonly Charge[] {
  const { quota, san } = binding.authorization.identity;
  const { issuer, identity, owner } = quota;
  const charges: Charge[] = [
    {
      limit: 'certificates-per-identity',
      key: keys.of('certificates-per-identity', issuer, identity),
      rate: limits.rate('certificates-per-identity', issuer, identity, san.value),
    },
  ];
  if (owner !== undefined) {
    charges.push({
      limit: 'certificates-per-owner',
      key: keys.of('certificates-per-owner', issuer, owner),
      rate: limits.rate('certificates-per-owner', issuer, owner),
    });
  }
  charges.push({
    limit: 'certificates-per-issuer',
    key: keys.issuer(issuer),
    rate: limits.rateOf('certificates-per-issuer', issuer),
  });
  return charges;
}

function replayOf(binding: Binding, mode: ReplayCheck['mode'], keys: BucketKeys): ReplayCheck {
  const { token } = binding.authorization.identity;
  return {
    mode,
    tokenHash: base64url(keys.hash(utf8(token.signed))),
    spkiHash: base64url(binding.spkiHash),
    expiresAt: instantOf(token.expiresAt + REPLAY_MARGIN_MS),
  };
}
