// Schedule: running something later; an argument, so that a test decides when later is.

/** Runs `task` once after `milliseconds`; the function returned calls it off. */
export type Schedule = (task: () => void, milliseconds: number) => () => void;
