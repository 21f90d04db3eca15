# What bash and zsh share. Above this stand _diffract_table and _diffract_engine.

# The folder of the nearest deno.json, if that is ours.
_diffract_root() {
  local folder="$PWD"
  while :; do
    if [ -f "$folder/deno.json" ]; then
      grep -q '"name": "@diffract/diffract"' "$folder/deno.json" && printf '%s\n' "${folder:-/}"
      return
    fi
    [ -n "$folder" ] || return 1
    folder="${folder%/*}"
  done
}

# Candidates for the words after `deno task`.
_diffract_candidates() {
  printf '%s\n' "$_diffract_table" | awk "$_diffract_engine" - "$@"
}

# Places of kind $2 below $1 that begin with $3; folders to go on from end in a slash.
_diffract_places() (
  [ -z "${ZSH_VERSION:-}" ] || emulate sh
  cd -- "$1" || exit
  case $2 in
    run) set -- "$2" "$3" runs/*/config.json runs/*/*/config.json runs/*/*/*/config.json ;;
    config) set -- "$2" "$3" config/*.json config/*/*.json ;;
    *) set -- "$2" "$3" "$3"* ;;
  esac
  kind=$1 prefix=$2
  shift 2
  for place; do
    [ -e "$place" ] || continue
    case $kind in
      run) place=${place%/config.json} ;;
      config) [ "$place" != config/schema.json ] || continue ;;
      folder) [ -d "$place" ] || continue ;;
    esac
    case $kind in file | folder) [ ! -d "$place" ] || place=$place/ ;; esac
    case $place in "$prefix"*) printf '%s\n' "$place" ;; esac
  done
)
