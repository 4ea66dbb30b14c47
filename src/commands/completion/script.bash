# Completion of {prog} in bash. Every word of it comes from "{prog} __complete".

# Puts the words up to the cursor into `words`, those whole again that readline has parted at : and =.
__{prog}_words() {
    local rest="${COMP_LINE:0:COMP_POINT}" piece bare i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece="${COMP_WORDS[i]}"
        bare="${rest#"${rest%%[![:space:]]*}"}"
        # The cursor may stand inside the last piece.
        ((i == COMP_CWORD)) && piece="$bare"
        if ((i > 0)) && [[ "$rest" == "$bare" && -n "$rest" ]]; then
            words[${#words[@]} - 1]+="$piece"
        else
            words+=("$piece")
        fi
        rest="${bare#"$piece"}"
    done
}

__{prog}_complete() {
    local words program line current candidate description directive=0 longest=0
    local -a names descriptions
    __{prog}_words
    current="${words[${#words[@]} - 1]}"
    program="$(type -P -- "${words[0]}")" || program={prog}
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ "$line" =~ ^:[0-9]+$ ]]; then
            directive="${line#:}"
            continue
        fi
        candidate="${line%%$'\t'*}"
        description=
        [[ "$line" == *$'\t'* ]] && description="${line#*$'\t'}"
        [[ "$candidate" == "$current"* ]] || continue
        names+=("$candidate")
        descriptions+=("$description")
        ((${#candidate} > longest)) && longest=${#candidate}
    done < <("$program" __complete "${words[@]:1}" 2>/dev/null)

    if ((${#names[@]} == 0)); then
        if (((directive & 4) == 0)); then
            compopt -o filenames 2>/dev/null
            local file="${current##*=}"
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$file")
        fi
        return
    fi
    (((directive & 2) != 0)) && compopt -o nospace 2>/dev/null
    # What readline has parted at : or = is already there.
    local behind= i
    if [[ "$current" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
        behind="${current%"${current##*:}"}"
    fi
    for i in "${!names[@]}"; do
        candidate="${names[i]#"$behind"}"
        if ((${#names[@]} > 1)) && [[ "${COMP_TYPE:-9}" =~ ^(63|33|64)$ && -n "${descriptions[i]}" ]]; then
            # A list to look at: of several, no more is inserted than the names have in common.
            printf -v candidate '%-*s  (%s)' "$((longest - ${#behind}))" "$candidate" "${descriptions[i]}"
        elif ((${#names[@]} == 1)); then
            printf -v candidate '%q' "$candidate"
        fi
        COMPREPLY+=("$candidate")
    done
}

complete -F __{prog}_complete {prog}
