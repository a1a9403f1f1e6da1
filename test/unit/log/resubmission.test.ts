import { describe, expect, it } from 'vitest';
import { parsePublicKey } from '../../../src/key/public-key.ts';
import { leafIndexOf } from '../../../src/log/entry.ts';
import type { Log, PrecertEntry, Sct } from '../../../src/log/log.ts';
import type { OpenLog } from '../../../src/log/open-log.ts';
import { RESUBMISSION_WINDOW, Resubmissions } from '../../../src/log/resubmission.ts';
import { verifySct } from '../../../src/log/sct.ts';
import { nativeVerifier } from '../../../src/node/system/native-verifier.ts';
import { Problem } from '../../../src/problem.ts';
import { audit, holds } from './audit.ts';
import { entryOf, ManualClock, openLog, p256Signer, sha256, temporaryFolder } from './support.ts';

const signer = p256Signer();
const publicKey = parsePublicKey(signer.publicKey);

async function rig(
  most?: number,
): Promise<{ log: Resubmissions; inner: OpenLog; clock: ManualClock; folder: string }> {
  const clock = new ManualClock();
  const folder = temporaryFolder();
  const inner = await openLog({ folder, signer, clock });
  return { log: new Resubmissions({ log: inner.log, signer, sha256, clock, most }), inner, clock, folder };
}

const placeOf = (sct: Sct): [number, number | undefined] => [sct.timestamp, leafIndexOf(sct.extensions)];

describe('an entry handed in again', () => {
  it('gets the same index and time, under a signature that verifies', async () => {
    const { log, inner, clock } = await rig();
    const first = await log.append(entryOf(1));
    await log.append(entryOf(2));
    clock.value += RESUBMISSION_WINDOW;
    const again = await log.append({ ...entryOf(1), precertificate: Buffer.from('signed anew'), chain: [] });
    expect(placeOf(again)).toEqual(placeOf(first));
    expect(await verifySct(nativeVerifier, sha256, publicKey, entryOf(1), again)).toBe(true);
    await inner.publish();
    expect(inner.reader.size).toBe(2);
    expect(holds(await audit(inner.reader, signer.publicKey), signer.publicKey, again, entryOf(1).tbs)).toBe(
      true,
    );
    await inner.close();
  });

  it('while it is still on its way shares that way', async () => {
    const { log, inner } = await rig();
    const scts = await Promise.all(Array.from({ length: 20 }, () => log.append(entryOf(1))));
    expect(new Set(scts.map((sct) => String(placeOf(sct)))).size).toBe(1);
    await inner.publish();
    expect(inner.reader.size).toBe(1);
    await inner.close();
  });

  it('is another entry when the window is over', async () => {
    const { log, inner, clock } = await rig();
    await log.append(entryOf(1));
    await inner.publish(); // or the log would be overdue
    clock.value += RESUBMISSION_WINDOW + 1;
    expect(leafIndexOf((await log.append(entryOf(1))).extensions)).toBe(1);
    await inner.close();
  });

  it('is another entry for another issuer key', async () => {
    const { log, inner } = await rig();
    await log.append(entryOf(1));
    const other: PrecertEntry = { ...entryOf(1), issuerKeyHash: sha256(Buffer.from('another')) };
    expect(leafIndexOf((await log.append(other)).extensions)).toBe(1);
    await inner.close();
  });

  it('is remembered over a restart', async () => {
    const { log, inner, clock, folder } = await rig();
    const firsts = await Promise.all(Array.from({ length: 600 }, (_, i) => log.append(entryOf(i, 20))));
    await inner.close();
    const opened = await openLog({ folder, signer, clock });
    const reopened = new Resubmissions({ log: opened.log, signer, sha256, clock });
    await reopened.recall(opened.reader);
    for (const i of [0, 255, 256, 511, 599]) {
      const again = await reopened.append(entryOf(i, 20));
      expect(placeOf(again)).toEqual(placeOf(firsts[i] ?? again));
      expect(await verifySct(nativeVerifier, sha256, publicKey, entryOf(i, 20), again)).toBe(true);
    }
    expect(leafIndexOf((await reopened.append(entryOf(600, 20))).extensions)).toBe(600);
    await opened.close();
  });

  it('is not remembered from before the window', async () => {
    const { log, inner, clock, folder } = await rig();
    await log.append(entryOf(1));
    clock.value += 1;
    await log.append(entryOf(2));
    await inner.close();
    clock.value += RESUBMISSION_WINDOW;
    const opened = await openLog({ folder, signer, clock });
    const reopened = new Resubmissions({ log: opened.log, signer, sha256, clock });
    await reopened.recall(opened.reader);
    expect(leafIndexOf((await reopened.append(entryOf(2))).extensions)).toBe(1);
    expect(leafIndexOf((await reopened.append(entryOf(1))).extensions)).toBe(2);
    await opened.close();
  });

  it('is forgotten first when there are too many', async () => {
    const { log, inner } = await rig(2);
    for (const n of [1, 2, 3]) await log.append(entryOf(n));
    expect(leafIndexOf((await log.append(entryOf(3))).extensions)).toBe(2);
    expect(leafIndexOf((await log.append(entryOf(2))).extensions)).toBe(1);
    expect(leafIndexOf((await log.append(entryOf(1))).extensions)).toBe(3);
    await inner.close();
  });
});

it('an entry that was refused is tried again', async () => {
  let refuse = true;
  const { inner, clock } = await rig();
  const log: Log = {
    append: (entry) => (refuse ? Promise.reject(new Problem('log_unavailable')) : inner.log.append(entry)),
  };
  const resubmissions = new Resubmissions({ log, signer, sha256, clock });
  await expect(resubmissions.append(entryOf(1))).rejects.toMatchObject({ code: 'log_unavailable' });
  refuse = false;
  expect(leafIndexOf((await resubmissions.append(entryOf(1))).extensions)).toBe(0);
  await inner.close();
});
