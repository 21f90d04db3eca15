# Keeps the name of the function that has completed deno until now, if any.
_diffract_find_before() {
  local name
  name=$(complete -p deno 2>/dev/null | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
  [ "$name" = _diffract ] || _diffract_before=$name
}

# Hands on what is not ours, and asks bash-completion once whether it knows deno.
_diffract_fall_through() {
  if [ -z "$_diffract_before" ] && [ -z "$_diffract_asked" ] &&
    declare -F _completion_loader >/dev/null; then
    _diffract_asked=1
    complete -r deno 2>/dev/null
    _completion_loader deno 2>/dev/null
    _diffract_find_before
    complete -F _diffract deno denow ./denow
  fi
  compopt -o bashdefault -o default 2>/dev/null
  [ -z "$_diffract_before" ] || "$_diffract_before" "$@"
}

_diffract() {
  # The words as typed: COMP_WORDS is also cut at "=" and ":".
  local rest=$COMP_LINE words=() word bare i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    bare=${rest#"${rest%%[![:space:]]*}"}
    if ((i > 0 && ${#bare} == ${#rest} && ${#rest} > 0)); then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    rest=${bare#"$word"}
  done
  local at=2 last=$((${#words[@]} - 1)) root=
  while [[ ${words[at]-} == -* ]] && ((at < last)); do ((at++)); done
  if [[ ${words[1]-} == task ]] && ((at <= last)); then root=$(_diffract_root); fi
  if [ -z "$root" ]; then
    _diffract_fall_through "$@"
    return
  fi
  local cur=${words[last]} candidate about place skip offered=
  # Readline replaces only what comes after the last "=" or ":".
  skip=${cur%"${cur##*[=:]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r candidate about; do
    if [[ $candidate != :* ]]; then
      [[ $candidate == *[=.] ]] || candidate+=" "
      COMPREPLY+=("${candidate#"$skip"}")
      continue
    fi
    [ -z "$offered" ] || continue
    while IFS= read -r place; do
      offered=1
      [[ $place == */ ]] || place+=" "
      place=$about$place
      COMPREPLY+=("${place#"$skip"}")
    done < <(_diffract_places "$root" "${candidate#:}" "${cur#"$about"}")
  done < <(_diffract_candidates "${words[@]:at}")
  # Spaces are ours, as not every candidate wants one.
  compopt -o nospace 2>/dev/null
}

_diffract_asked=
_diffract_before=${_diffract_before-}
_diffract_find_before
complete -F _diffract deno denow ./denow
