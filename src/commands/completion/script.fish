# Completion of {prog} in fish. Every word of it comes from "{prog} __complete".

function __{prog}_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l lines ($program __complete $words "$current" 2>/dev/null)
    set -l directive 0
    set -l found 0
    for line in $lines
        if string match -qr '^:[0-9]+$' -- $line
            set directive (string sub -s 2 -- $line)
        else if test -n "$line"
            set found 1
            printf '%s\n' $line
        end
    end
    if test $found -eq 0; and test (math "bitand($directive, 4)") -eq 0
        __fish_complete_path (string replace -r '^--[^=]*=' '' -- $current)
    end
end

complete -c {prog} -e
complete -c {prog} -f -a '(__{prog}_complete)'
