// Bundled settings: the configuration as the build put it into the Worker (deploy/workers/bundle-settings.ts).

declare module 'mayfly-settings' {
  const bundle: {
    /** For messages. */
    readonly fileName: string;
    /** The configuration file. */
    readonly text: string;
    /** Text of each file that the configuration names, by its path there. */
    readonly files: Readonly<Record<string, string>>;
    /** What config/providers.yaml says, as encodeKinds writes it. */
    readonly kinds: string;
  };
  export default bundle;
}
