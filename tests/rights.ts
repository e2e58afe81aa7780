/** Command lines that start a program with fewer rights than the tests have. */

/** Root without what makes it root; CAP_SETFCAP alone lets it stay root in a user namespace, which others need not. */
export const UNPRIVILEGED = [
  "setpriv",
  "--bounding-set=-all,+setfcap",
  "--inh-caps=-all,+setfcap",
];

/** In a user namespace that allows no further one, and no network namespace. */
export const FORBIDDEN = [
  ...["unshare", "-U", "-r", "sh", "-c"],
  'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"',
  ...["sh", "setpriv", "--bounding-set=-all", "--inh-caps=-all"],
];
