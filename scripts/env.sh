# Sourced by the other scripts: sets DENO to Deno's own executable and puts the tools on PATH.
# (package.json names the platform package, which holds just that, rather than "deno", whose lock file
# needs every platform to be in the registry.)

DENO=
for candidate in "$PWD"/node_modules/@deno/*/deno; do
  [[ -x $candidate ]] && DENO=$candidate
done
if [[ -z $DENO ]]; then
  echo "No Deno in $PWD/node_modules: run scripts/bootstrap." >&2
  exit 3
fi
export DENO
# AssemblyScript's compiler, run by Deno too, so that the version of Node does not matter.
ASC=("$DENO" run --allow-all node_modules/assemblyscript/bin/asc.js)
# Debian keeps ip(8) and its like in sbin, which is not on everybody's path.
export PATH=${DENO%/*}:$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin
# Nothing here may depend on the day's latest release.
export DENO_NO_UPDATE_CHECK=1
