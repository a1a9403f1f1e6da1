// RSA modulus: the number theory that tells whether one is easily factored.

/** The primes below 752, as Boulder tries them. */
const PRIMES: readonly number[] = Array.from({ length: 752 }, (_, n) => n).filter(isPrime);

function isPrime(n: number): boolean {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return n > 1;
}

interface Run {
  readonly primes: readonly number[];
  /** Of `primes`; an exact number, so that one division of the modulus serves the whole run. */
  readonly product: bigint;
}

const RUNS = runsOf(PRIMES);

function runsOf(primes: readonly number[]): readonly Run[] {
  const runs: Run[] = [];
  for (const prime of primes) {
    const { primes: before, product } = runs.at(-1) ?? { primes: [], product: 1n };
    const longer = { primes: [...before, prime], product: product * BigInt(prime) };
    if (longer.product <= Number.MAX_SAFE_INTEGER) runs.splice(-1, 1, longer);
    else runs.push({ primes: [prime], product: BigInt(prime) });
  }
  return runs;
}

/** The remainders of `n` modulo the primes below 752, in rising order of the primes. */
export function smallRemainders(n: bigint): readonly number[] {
  return RUNS.flatMap(({ primes, product }) => {
    const remainder = Number(n % product);
    return primes.map((prime) => remainder % prime);
  });
}

export function hasSmallFactor(remainders: readonly number[]): boolean {
  return remainders.includes(0);
}

/** For each odd prime up to 167 the powers of 65537 modulo it. */
const POWERS_OF_F4: readonly ReadonlySet<number>[] = PRIMES.slice(1, 39).map((prime) => {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * 65537) % prime) powers.add(power);
  return powers;
});

/**
 * The fingerprint of Nemec et al., "The Return of Coppersmith's Attack" (CCS 2017). The flawed primes have the form
 * k M + (65537^a mod M), M a product of the first primes, so modulo each of those the modulus is a power of 65537.
 */
export function isRoca(remainders: readonly number[]): boolean {
  return POWERS_OF_F4.every((powers, i) => powers.has(remainders[i + 1] ?? 0)); // after the remainder by 2
}

/** Fermat's factorization, 100 rounds as in Boulder: seeks n = a² - b² for the first a from √n upwards. */
export function hasCloseFactors(n: bigint): boolean {
  let a = squareRoot(n);
  if (a * a < n) a += 1n;
  let bSquared = a * a - n;
  for (let round = 0; round < 100; round++) {
    if (isSquare(bSquared)) return true;
    bSquared += 2n * a + 1n;
    a += 1n;
  }
  return false;
}

const [SIEVE = { primes: [], product: 1n }] = RUNS; // the primes up to 41
const SQUARES: readonly ReadonlySet<number>[] = SIEVE.primes.map(
  (prime) => new Set(Array.from({ length: prime }, (_, n) => (n * n) % prime)),
);

/** The costly root is taken only of what is a square modulo every prime of the sieve: one number in some 1,500. */
function isSquare(n: bigint): boolean {
  const remainder = Number(n % SIEVE.product);
  if (!SIEVE.primes.every((prime, i) => SQUARES[i]?.has(remainder % prime))) return false;
  const root = squareRoot(n);
  return root * root === n;
}

/** Rounded down (Newton's method from above). */
function squareRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let root = 1n << BigInt(2 * n.toString(16).length); // 16^digits > n
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
