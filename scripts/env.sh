# Sourced by the other scripts: sets DENO to Deno's own executable and puts the tools on PATH.
# (node_modules/.bin/deno may be a Node script that starts it, one process and 40 ms more.)

DENO=
for candidate in "$PWD"/node_modules/@deno/*/deno; do
  [[ -x $candidate ]] && DENO=$candidate
done
if [[ -z $DENO ]]; then
  echo "No Deno in $PWD/node_modules: run scripts/bootstrap." >&2
  exit 3
fi
export DENO
# Debian keeps ip(8) and its like in sbin, which is not on everybody's path.
export PATH=${DENO%/*}:$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin
# Nothing here may depend on the day's latest release.
export DENO_NO_UPDATE_CHECK=1
