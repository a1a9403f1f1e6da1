// inspect: a certificate in plain words: whose it is, on whose word, for how long, and where it is logged.

import { hash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { z } from 'zod';
import { type Leaf, readLeaf } from '../certificate/leaf.ts';
import { describeLeaf, printable } from '../certificate/plain-words.ts';
import { base64, hex } from '../encoding/bytes.ts';
import { decodePem } from '../encoding/pem.ts';
import { ATTRIBUTE_TITLES } from '../identity/attribute.ts';
import { leafIndexOf } from '../log/entry.ts';
import { describeCa, factsOfCa, keyOf, nameOf } from './ca-words.ts';
import { addOutcome, type JsonFlag, type Outcome, tell } from './outcome.ts';

export function inspectCommand(): Command {
  const command = new Command('inspect')
    .description('say in plain words what a certificate says')
    .argument('<certificate>', 'PEM (the first of a chain), DER, or a Sigstore bundle; - for standard input');
  return addOutcome(command, 'printed; nothing of it is verified', 'not used').action(
    (file: string, flags: JsonFlag) => tell(flags, () => inspect(file)),
  );
}

function inspect(file: string): Outcome {
  const name = file === '-' ? 'standard input' : file;
  const der = certificateIn(readBytes(file, name), name);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch (cause) {
    throw new Error(`${name} holds no certificate`, { cause });
  }
  if (certificate.ca) return { lines: describeCa(certificate), object: factsOfCa(certificate) };
  let leaf: Leaf;
  try {
    leaf = readLeaf(der);
  } catch (cause) {
    throw new Error(`${name} holds a certificate that is not one of Mayfly's or Fulcio's`, { cause });
  }
  const { attributes } = leaf;
  const foreign = !attributes.has(8) && !attributes.has(1);
  return {
    lines: foreign ? foreignLines(certificate) : [...describeLeaf(leaf), ...moreLines(leaf, certificate)],
    object: {
      ...factsOf(leaf, certificate),
      ...(foreign && { subject: nameOf(certificate.subject), names: certificate.subjectAltName ?? null }),
    },
  };
}

/** Nothing is said of what such a certificate is for. */
function foreignLines(certificate: X509Certificate): readonly string[] {
  const { subject, subjectAltName, issuer, validFromDate, validToDate, fingerprint256 } = certificate;
  return [
    printable(nameOf(subject)),
    '  is no certificate of Mayfly or Fulcio: it names no OIDC issuer',
    ...(subjectAltName === undefined ? [] : [row('Names', printable(subjectAltName))]),
    row('Key', keyOf(certificate)),
    row('Issued by', printable(nameOf(issuer))),
    row('Valid', `${validFromDate.toISOString()} to ${validToDate.toISOString()}`),
    row('SHA-256 fingerprint', fingerprint256.replaceAll(':', '').toLowerCase()),
  ];
}

const WIDTH = 36; // as plain-words has it
const row = (title: string, text: string): string => `  ${title.padEnd(WIDTH)} ${text}`;

function moreLines(leaf: Leaf, certificate: X509Certificate): readonly string[] {
  const now = Date.now();
  const state =
    now > leaf.notAfter
      ? 'expired, as ten minutes after every issuance; signatures made in its time stay good'
      : now < leaf.notBefore
        ? 'not valid yet'
        : 'valid now';
  return [
    row('Key', keyOf(certificate)),
    row('Issued by', printable(nameOf(certificate.issuer))),
    row('Validity', state),
    row('SHA-256 fingerprint', certificate.fingerprint256.replaceAll(':', '').toLowerCase()),
    '',
    ...(leaf.scts.length === 0 ? ['  No transparency log has signed for it (no SCT).'] : []),
    ...leaf.scts.flatMap(({ logId, timestamp, extensions }) => {
      const index = leafIndexOf(extensions);
      return [
        `  Logged ${new Date(timestamp).toISOString()}${index === undefined ? '' : ` as entry ${index}`}`,
        row('  of the log with the id', base64(logId)),
      ];
    }),
  ];
}

function factsOf(leaf: Leaf, certificate: X509Certificate): object {
  const { serial, notBefore, notAfter, san, attributes, scts } = leaf;
  return {
    identity: san === undefined ? null : { kind: san.kind, value: san.value },
    issuer: attributes.get(8) ?? attributes.get(1) ?? null,
    serialNumber: hex(serial),
    notBefore: new Date(notBefore).toISOString(),
    notAfter: new Date(notAfter).toISOString(),
    key: keyOf(certificate),
    publicKeySha256: hash('sha256', leaf.spki, 'hex'),
    issuedBy: nameOf(certificate.issuer),
    fingerprintSha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    extensions: Array.from(attributes, ([n, value]) => ({
      oid: `1.3.6.1.4.1.57264.1.${n}`,
      title: ATTRIBUTE_TITLES.get(n) ?? null,
      value,
    })),
    scts: scts.map(({ logId, timestamp, extensions }) => ({
      logId: base64(logId),
      timestamp: new Date(timestamp).toISOString(),
      logIndex: leafIndexOf(extensions) ?? null,
    })),
  };
}

/** Of a PEM chain the first, as the leaf comes first. */
function certificateIn(bytes: Buffer, name: string): Buffer {
  if (bytes[0] === 0x30) return bytes;
  const text = bytes.toString('utf8').trim();
  if (text.startsWith('{')) return certificateOfBundle(text, name);
  const block = decodePem(text).find(({ label }) => label === 'CERTIFICATE');
  if (block !== undefined) return Buffer.from(block.der);
  const decoded = Buffer.from(text, 'base64'); // as bundles and log entries have it
  if (/^[\w+/=\s-]+$/.test(text) && decoded[0] === 0x30) return decoded;
  throw new Error(`${name} holds no certificate in PEM or DER, and is no Sigstore bundle`);
}

const bundleShape = z.object({
  verificationMaterial: z.object({
    certificate: z.object({ rawBytes: z.string() }).optional(),
    x509CertificateChain: z.object({ certificates: z.array(z.object({ rawBytes: z.string() })) }).optional(),
  }),
});

function certificateOfBundle(text: string, name: string): Buffer {
  let material: z.output<typeof bundleShape>['verificationMaterial'];
  try {
    material = bundleShape.parse(JSON.parse(text)).verificationMaterial;
  } catch (cause) {
    throw new Error(`${name} is JSON, but no Sigstore bundle with a certificate`, { cause });
  }
  const { certificate, x509CertificateChain: chain } = material;
  const raw = certificate ?? chain?.certificates[0];
  if (raw === undefined) throw new Error(`the bundle ${name} holds no certificate`);
  return Buffer.from(raw.rawBytes, 'base64');
}

function readBytes(file: string, name: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file);
  } catch (cause) {
    throw new Error(`${name} cannot be read`, { cause });
  }
}
