// Version: the one from package.json, kept here so that every runtime can say it (a test compares the two).

export const VERSION = '0.1.0';
