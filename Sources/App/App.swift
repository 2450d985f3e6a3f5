// App: composition. It reads the settings, makes clock, randomness, keyring, pool and store, mounts the doors, starts
// the engines, and runs them all as one group of services: `Server`. The private cluster of a developer's machine is
// `DevelopmentServer`, and what plays the main job on it is in the program.
//
// Nothing here knows a protocol or a rule; this is the one room that knows all the others.
