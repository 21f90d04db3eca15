# Needs compinit. What completed deno before goes on to do so where it is not about our tasks.
_diffract() {
  local root= at=3 line candidate about place offered=
  while [[ ${words[at]-} == -* ]] && ((at < CURRENT)); do ((at++)); done
  if [[ ${words[2]-} == task ]] && ((at <= CURRENT)); then root=$(_diffract_root); fi
  if [[ -z $root ]]; then
    if [[ -n $_diffract_before ]]; then "$_diffract_before" "$@"; else _default; fi
    return
  fi
  # PREFIX is the word at the cursor up to the cursor.
  local cur=$PREFIX
  local -a loose loose_about tight tight_about
  while IFS=$'\t' read -r candidate about; do
    if [[ $candidate != :* ]]; then
      if [[ $candidate == *[=.] ]]; then
        tight+=("$candidate") tight_about+=("$candidate  $about")
      else
        loose+=("$candidate") loose_about+=("$candidate  $about")
      fi
      continue
    fi
    [[ -z $offered ]] || continue
    while IFS= read -r place; do
      offered=1
      if [[ $place == */ ]]; then
        tight+=("$about$place") tight_about+=("$place")
      else
        loose+=("$about$place") loose_about+=("$place")
      fi
    done < <(_diffract_places "$root" "${candidate#:}" "${cur#"$about"}")
  done < <(_diffract_candidates "${(@)words[at,CURRENT-1]}" "$cur")
  ((${#tight})) && compadd -S '' -d tight_about -a tight
  ((${#loose})) && compadd -d loose_about -a loose
}

[[ ${_comps[deno]-} == _diffract ]] || _diffract_before=${_comps[deno]-}
compdef _diffract deno denow
