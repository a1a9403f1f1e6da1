// Health check: exits with 0 while the process answers /healthz on its metrics port, or another URL that MAYFLY_HEALTH_URL names.
// Alive is what is asked, not ready: a stand-by of a log is well and not ready, and must not be replaced.
// The metrics port is in clear on the loopback whatever TLS the other ports demand.

const url = process.env.MAYFLY_HEALTH_URL ?? 'http://127.0.0.1:2112/healthz';
const answer = await fetch(url, { signal: AbortSignal.timeout(4_000) }).catch(() => undefined);
process.exit(answer?.ok === true ? 0 : 1);
