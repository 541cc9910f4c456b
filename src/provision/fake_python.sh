#!/bin/sh
# Stands in for `python3 -m pip` in the tests of this module. What it does is decided by the name of
# the package asked for; the cache under test is three folders up from where pip is run.
[ "$2" = pip ] || exit 1
if [ "$3" = --version ]; then
    echo "pip 23.0.1 from nowhere (python 3.11)"
    exit 0
fi
while [ $# -gt 0 ]; do
    case "$1" in
    -r) requirements=$2 ;;
    -d) destination=$2 ;;
    esac
    shift
done
package=$(sed 's/==.*//' "$requirements")
cache=../../..
echo "$package" >>"$cache/calls"
case "$package" in
served | forged) cp "$cache/$package.whl" "$destination/$package-1-py3-none-any.whl" ;;
unreachable)
    echo "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'" >&2
    echo "ERROR: No matching distribution found for unreachable==1" >&2
    exit 1
    ;;
mismatched)
    echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE." >&2
    exit 1
    ;;
withdrawn)
    echo "ERROR: No matching distribution found for withdrawn==1" >&2
    exit 1
    ;;
overfull)
    echo "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device" >&2
    exit 1
    ;;
esac
