// Dev issuer on Node: the embedded OpenID provider on a loopback port, and the settings that trust it.

import { systemClock } from '../clock.ts';
import { type ConfiguredIssuer, parseSettings } from '../config/settings.ts';
import { createDevIssuer, DEV_AUDIENCE, type DevIssuer } from '../dev/dev-issuer.ts';
import { devConfiguration } from '../dev/shape.ts';
import type { Kinds } from '../identity/provider.ts';
import { listeningOn } from './listener/address.ts';
import { type HttpServer, listen } from './listener/http-server.ts';

const LOOPBACK = '127.0.0.1';

export interface RunningDevIssuer {
  /** Each shape is an issuer below it. */
  readonly url: string;
  readonly issuer: DevIssuer;
  readonly server: HttpServer;
}

/** Rejects with an Error with a sentence when the port cannot be had. */
export async function startDevIssuer(port: number): Promise<RunningDevIssuer> {
  let url = '';
  const issuer = await createDevIssuer(() => url, systemClock);
  const listening = listen(issuer.app.fetch, LOOPBACK, port);
  const server = await listeningOn('the development issuer', LOOPBACK, port, listening);
  url = `http://${LOOPBACK}:${server.port}`;
  return { url, issuer, server };
}

/** The issuers of a dev instance, as configured entries. */
export function devIssuers(issuerUrl: string, kinds: Kinds): readonly ConfiguredIssuer[] {
  const text = devConfiguration(issuerUrl, DEV_AUDIENCE);
  return parseSettings(text, { fileName: 'the development issuers', kinds }).settings.issuers;
}
