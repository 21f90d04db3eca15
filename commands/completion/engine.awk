# What all completion scripts share: reads the table and the words after `deno task`, and prints
# candidates.
#
# Called as: awk -f engine.awk - WORD... <TABLE, the last word being the one at the cursor. A line of
# output is a candidate and its description, separated by a tab; or ":KIND", a tab and a prefix where
# the shell has to list places itself (file, folder, run, config), each to be written after the
# prefix; a later kind is for when an earlier one has nothing to offer.
#
# A candidate that ends in "=" or "." wants no space after it.
BEGIN {
  FS = "\t"
  count = 0
  for (i = 2; i < ARGC; i++) { word[++count] = ARGV[i]; ARGV[i] = "" }
  cur = word[count]
  task = count > 1 ? word[1] : ""
}
function offer(text, note) {
  if (index(text, cur) == 1) print text "\t" note
}
function offerKinds(which, flag, prefix,    list, n, i, j) {
  n = split(which, list, ",")
  for (i = 1; i <= n; i++) {
    if (list[i] == "value") {
      for (j = 1; j <= values[flag]; j++) offer(prefix value[flag, j], "")
    } else if (list[i] in words) {
      for (j = 1; j <= words[list[i]]; j++) offer(prefix known[list[i], j], "")
    } else if (list[i] != "none") print ":" list[i] "\t" prefix
  }
}
$1 == "task" && task == "" { offer($2, $3); next }
$1 == "option" && $2 == task { flags[++options] = $3; kinds[$3] = $4; about[$3] = $5; next }
$1 == "value" && ($2 == task || $2 == "") { value[$3, ++values[$3]] = $4; next }
$1 == "argument" && $2 == task { argument[++arguments] = $3; next }
$1 == "overrides" && $2 == task { overridable = 1; next }
$1 == "key" { keys[++keyCount] = $2; keyKinds[$2] = $3; keyAbout[$2] = $4; next }
$1 == "word" { known[$2, ++words[$2]] = $3; next }
END {
  if (task == "") exit
  for (i = 2; i < count; i++) {
    if (word[i] == "--") { plain = 1; continue }
    if (plain || word[i] !~ /^-/) { place++; continue }
    used[word[i]] = 1
    if (kinds[word[i]] != "" && i < count - 1) i++
  }
  last = word[count - 1]
  equals = index(cur, "=")
  if (!plain && cur ~ /^--/ && equals > 0) {
    flag = substr(cur, 1, equals - 1)
    prefix = flag "="
    if (flag in kinds) offerKinds(kinds[flag], flag, prefix)
    else if (overridable) offerKinds(keyKinds[substr(flag, 3)], flag, prefix)
  } else if (!plain && count > 2 && last in kinds && kinds[last] != "") {
    offerKinds(kinds[last], last, "")
  } else if (!plain && cur ~ /^-/) {
    for (i = 1; i <= options; i++) if (!(flags[i] in used)) offer(flags[i], about[flags[i]])
    if (!overridable) exit
    for (i = 1; i <= keyCount; i++) {
      section = substr(keys[i], 1, index(keys[i], "."))
      if (index(cur, ".") > 0) offer("--" keys[i] "=", keyAbout[keys[i]])
      else if (!(section in told)) { told[section] = 1; offer("--" section, "keys of the config") }
    }
  } else {
    place++
    if (place > arguments && arguments > 0 && argument[arguments] ~ /^[.][.][.]/) place = arguments
    if (place > arguments) exit
    sub(/^[.][.][.]/, "", argument[place])
    offerKinds(argument[place], "", "")
  }
}
