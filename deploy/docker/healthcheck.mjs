// Health check: exits with 0 while the process answers /healthz, or another URL that MAYFLY_HEALTH_URL names.
// Alive is what is asked, not ready: a stand-by of a log is well and not ready, and must not be replaced.

const url = process.env.MAYFLY_HEALTH_URL ?? 'http://127.0.0.1:5555/healthz';
const answer = await fetch(url, { signal: AbortSignal.timeout(4_000) }).catch(() => undefined);
process.exit(answer?.ok === true ? 0 : 1);
