# Above this stand $__diffract_table and $__diffract_engine. What else completes deno is left alone.

# The folder of the nearest deno.json, if that is ours.
function __diffract_root
    set -l folder $PWD
    while true
        if test -f $folder/deno.json
            grep -q '"name": "@diffract/diffract"' $folder/deno.json; and echo $folder
            return
        end
        test -n "$folder"; or return 1
        set folder (string replace -r '/[^/]*$' '' -- $folder)
    end
end

# The words after `deno task`, the last being the one at the cursor; fails where there are none.
function __diffract_words
    set -l words (commandline -opc)
    test "$words[2]" = task; or return 1
    set -l at 3
    while string match -q -- '-*' "$words[$at]"
        set at (math $at + 1)
    end
    if test (count $words) -ge $at
        printf '%s\n' $words[$at..-1]
    end
    # An empty word is a word, too.
    printf '%s\n' (commandline -ct | string collect)
end

function __diffract_is_ours
    set -l words (__diffract_words); or return 1
    test -n (__diffract_root | string collect)
end

# Places of kind $argv[2] below $argv[1] that begin with $argv[3].
function __diffract_places
    set -l root $argv[1]
    set -l places
    switch $argv[2]
        case run
            set places $root/runs/*/config.json $root/runs/*/*/config.json $root/runs/*/*/*/config.json
            set places (string replace -r '/config\.json$' '' -- $places)
        case config
            set places (string match -v '*/config/schema.json' -- $root/config/*.json $root/config/*/*.json)
        case '*'
            for place in $root/$argv[3]*
                if test -d $place
                    set -a places $place/
                else if test $argv[2] = file
                    set -a places $place
                end
            end
    end
    for place in $places
        set -l place (string sub -s (math (string length -- $root) + 2) -- $place)
        string match -q -r -- '^'(string escape --style=regex -- "$argv[3]") $place; and echo $place
    end
end

function __diffract_complete
    set -l root (__diffract_root)
    set -l words (__diffract_words)
    set -l cur $words[-1]
    set -l offered
    printf '%s\n' $__diffract_table | awk $__diffract_engine - $words | while read -l -d \t candidate about
        if not string match -q -- ':*' $candidate
            printf '%s\t%s\n' $candidate $about
            continue
        end
        test -z "$offered"; or continue
        set -l rest (string sub -s (math (string length -- "$about") + 1) -- $cur)
        for place in (__diffract_places $root (string sub -s 2 -- $candidate) "$rest")
            set offered 1
            echo $about$place
        end
    end
end

for command in deno denow
    complete -c $command -n __diffract_is_ours -f -a '(__diffract_complete)'
end
