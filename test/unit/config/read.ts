// What the tests of the configuration share: reading a text, with the shipped kinds.

import { readFileSync } from 'node:fs';
import { SettingsError } from '../../../src/config/mistake.ts';
import { parseProviders } from '../../../src/config/providers.ts';
import { parseSettings, type Settings } from '../../../src/config/settings.ts';

export const configFile = (name: string): string =>
  readFileSync(new URL(`../../../config/${name}`, import.meta.url), 'utf8');

export const kinds = parseProviders(configFile('providers.yaml'));

/** Of a P-256 key that nobody has. */
export const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmjCCAT+gAwIBAgIUfwXFV3vWJQVD2QhwX+u2vXLXOIswCgYIKoZIzj0EAwIw
ITENMAsGA1UECgwEVGVzdDEQMA4GA1UEAwwHVGVzdCBDQTAgFw0yNjExMjQyMzU1
NTJaGA8yMTI2MTAzMTIzNTU1MlowITENMAsGA1UECgwEVGVzdDEQMA4GA1UEAwwH
VGVzdCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDeW/1VIX0fedRa/aGjl
k88+xeDsVw3XOjHlwe6ukFSSwnH4vkanm3q9XQ2wSSKA2QIIumgJlikAwkiadTms
GamjUzBRMB0GA1UdDgQWBBQF4YK+/yJUMOKo77JusjZ1lxh41jAfBgNVHSMEGDAW
gBQF4YK+/yJUMOKo77JusjZ1lxh41jAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49
BAMCA0kAMEYCIQCTCiO2KUWoCeS2QothbcL3k1t5qf6uS3aeRqe1y5LNmAIhAO1D
AJwkQV2KmcUe/ickdtKNaLZoDFs9aSJbavv1rE2G
-----END CERTIFICATE-----
`;

/** No key: what reads the configuration does not look inside. */
export const KEY = '-----BEGIN PRIVATE KEY-----\nbm8ga2V5\n-----END PRIVATE KEY-----\n';

const files: Readonly<Record<string, string>> = {
  'keys.json':
    '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}',
  'private.json': '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qY", "d": "nWGx"}]}',
  'broken.json': '{',
  'ca.pem': CERTIFICATE,
  'key.pem': KEY,
  'a.token': 'first-token-of-a-log\nsecond-token-of-a-log\n',
  'short.token': 'secret\n',
  'headers.txt': 'Authorization: Bearer a b\n\nx-scope:ca \n',
  'log.pem':
    '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n',
};

function readFile(path: string): string {
  const text = files[path];
  if (text === undefined) throw new Error(`no such file: ${path}`);
  return text;
}

export function settingsOf(text: string): Settings {
  return parseSettings(text, { fileName: 'my.yaml', kinds, readFile }).settings;
}

/** `line path: message` of each, errors first. */
export function warningsOf(text: string): readonly string[] {
  return parseSettings(text, { fileName: 'my.yaml', kinds, readFile }).warnings.map(
    ({ line, path, message }) => `${line} ${path}: ${message}`,
  );
}

/** `line path: message` of each mistake, in the order of the file; empty for a text that loads. */
export function mistakesOf(text: string): readonly string[] {
  try {
    settingsOf(text);
    return [];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const errors = error.mistakes.filter(({ severity }) => severity === 'error');
    return errors
      .toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0))
      .map(({ line, path, message }) => `${line} ${path}: ${message}`);
  }
}
