#compdef {prog}
# Completion of {prog} in zsh. Every word of it comes from "{prog} __complete".

_{prog}() {
    local line candidate description directive=0
    local -a described
    for line in "${(@f)$("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == :<-> ]]; then
            directive=${line#:}
            continue
        fi
        [[ -n $line ]] || continue
        candidate=${line%%$'\t'*}
        description=
        [[ $line == *$'\t'* ]] && description=${line#*$'\t'}
        # A colon parts a word from its description here.
        described+=("${candidate//:/\\:}${description:+:$description}")
    done
    if (( $#described )); then
        local -a suffix
        (( directive & 2 )) && suffix=(-S '')
        _describe -V '{prog}' described $suffix
    elif (( (directive & 4) == 0 )); then
        [[ $PREFIX == --*=* ]] && compset -P '*='
        _files
    fi
}

if [[ ${funcstack[1]} == _{prog} ]]; then
    _{prog} "$@"
else
    compdef _{prog} {prog}
fi
